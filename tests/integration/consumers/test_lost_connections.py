"""Connections that are lost in the middle of a batch, while the database answers in between."""

from db.database import Database
from tests import making
from tests.applying import Bench
from tests.faults.proxying import before_postgres
from tests.faults.rules import Cut, Rule
from tests.making import record
from tests.settling import settler
from tests.sources import Alone


async def test_connections_that_a_network_cuts_again_and_again_blame_no_record(database):
    """The server did not crash meanwhile, and knows it: so it is not what the records do to it."""
    async with before_postgres(database.url) as (proxy, url):
        cut = Rule(when=lambda each: each.kind == "Parse" and b"INSERT INTO outbox" in each.raw, action=Cut(), times=12)
        proxy.add(cut)
        bench = Bench(Database(url=url))
        patient = settler(bench.processor, Alone(), probe=bench.processor.probe, halving_attempts=2, attempts=1)
        batch = await bench.batch([record(making.register_user()) for _ in range(3)])

        assert await patient.settle(batch) == frozenset()

        assert cut.happened.is_set()
        assert patient.tally.bisections == 0
        assert await bench.rows("SELECT count(*) FROM users") == [(3,)]
        assert await bench.rows("SELECT count(*) FROM dead_letters") == [(0,)]
        await bench.database.close()
