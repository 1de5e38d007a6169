"""Connections that are lost in the middle of a batch, while the database answers in between."""

from consumers.failures import Settler
from db.database import Database
from tests import making
from tests.applying import Bench
from tests.faults.proxying import before_postgres
from tests.faults.rules import Cut, Rule
from tests.making import record
from tests.sources import Alone


async def test_connections_that_a_network_cuts_again_and_again_blame_no_record(database):
    """The server did not crash meanwhile, and knows it: so it is not what the records do to it."""
    async with before_postgres(database.url) as (proxy, url):
        cut = Rule(when=lambda each: each.kind == "Parse" and b"INSERT INTO outbox" in each.raw, action=Cut(), times=12)
        proxy.add(cut)
        bench = Bench(Database(url=url))
        settler = Settler(
            processor=bench.processor,
            source=Alone(),
            probe=bench.processor.probe,
            attempts=1,
            halving_attempts=2,
            backoff_seconds=0.005,
            backoff_most_seconds=0.01,
        )

        assert (
            await settler.settle(await bench.batch([record(making.register_user()) for _ in range(3)])) == frozenset()
        )

        assert cut.happened.is_set()
        assert settler.tally.bisections == 0
        assert await bench.rows("SELECT count(*) FROM users") == [(3,)]
        assert await bench.rows("SELECT count(*) FROM dead_letters") == [(0,)]
        await bench.database.close()
