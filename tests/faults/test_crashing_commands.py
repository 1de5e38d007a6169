"""A command that crashes the backend that is to store it, and with it the whole server: found, and set aside."""

import asyncio

import pytest
from sqlalchemy import text

from consumers.failures import Settler
from db.database import Database
from migrations import run as migrations
from outbox.partitions import Partitions
from tests import making
from tests.applying import Bench
from tests.faults.results import note_verdict
from tests.faults.servers import start_own
from tests.judging import judge_run
from tests.making import record
from tests.poison import POISON
from tests.relaying import RecordingPublisher, leading_relay
from tests.sources import Alone

CRASH = """
    CREATE FUNCTION crash() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        COPY (SELECT 1) TO PROGRAM 'kill -KILL $PPID';
        PERFORM pg_sleep(10);
        RETURN NEW;
    END $$
"""
TRIGGER = f"""
    CREATE TRIGGER crash BEFORE INSERT ON users FOR EACH ROW WHEN (NEW.name = '{POISON}') EXECUTE FUNCTION crash()
"""


@pytest.mark.long_faults
@pytest.mark.timeout(300)
async def test_command_that_crashes_postgresql_is_a_dead_letter_and_its_neighbours_are_applied(
    request: pytest.FixtureRequest,
) -> None:
    async with start_own("embedded", postgres_settings={"fsync": "off"}) as servers:
        await asyncio.to_thread(migrations.upgrade, servers.database_url)
        database = Database(url=servers.database_url)
        await Partitions(database=database).maintain_once()
        async with database.transaction() as session:
            await session.execute(text(CRASH))
            await session.execute(text(TRIGGER))
        bench = Bench(database)
        records = [record(making.register_user(name=POISON if n == 2 else "Ada"), command_id=str(n)) for n in range(4)]
        settler = Settler(
            processor=bench.processor,
            source=Alone(),
            probe=bench.processor.probe,
            attempts=2,
            halving_attempts=2,
            backoff_seconds=0.05,
            backoff_most_seconds=0.5,
        )

        assert await settler.settle(await bench.batch(records)) == frozenset()

        assert await bench.rows("SELECT count(*) FROM users") == [(3,)]
        assert await bench.rows("SELECT command_id, reason FROM dead_letters") == [("2", "unexpected")]
        publisher = RecordingPublisher()
        async with leading_relay(database, publisher) as relay:
            while await relay.pass_once():
                pass
        verdict = await judge_run(database, records, publisher.records)
        await database.close()
    note_verdict(request.node.name, verdict, {"PostgreSQL crashed by a command": 1}, seed=0, commands=len(records))
    assert verdict.passed, verdict.tell()
