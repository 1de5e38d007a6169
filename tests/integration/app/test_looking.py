"""What is looked at in the database for the metrics, and what is shown while that is not possible."""

import asyncio

import pytest
from sqlalchemy import text

from app.monitoring.looking import Looking, look_at_letters, look_at_outbox
from app.monitoring.pools import read_pools
from db.database import Database
from outbox import status
from tests.relaying import RecordingPublisher, execute, leading_relay, write_rows

LETTER = """
    INSERT INTO dead_letters (id, topic, partition, record_offset, timestamp, header_names, header_values, reason,
                              detail, state, first_at)
    SELECT gen_random_uuid(), 't', 0, n, now(), '{}', '{}', 'unreadable', '',
           'open', now() - interval '1 hour' FROM generate_series(1, 3) n
"""


async def ages(database: Database) -> dict[int, float]:
    async with database.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        return {each.shard: each.age_seconds for each in await status.fetch_waiting(connection)}


async def rows_aged(database: Database, *ages_seconds: int) -> None:
    """Commit rows of these ages, in this order."""
    for number, age in enumerate(ages_seconds, start=1):
        await write_rows(database, "a", [number])
        await execute(
            database,
            f"UPDATE outbox SET recorded_at = now() - make_interval(secs => {age}) WHERE sequence = {number}",
        )


async def test_oldest_row_that_waits_tells_the_age_at_every_place_of_the_cursor(database):
    assert await ages(database) == {0: 0}
    await rows_aged(database, 500, 400, 300, 200, 100)
    assert await ages(database) == {0: pytest.approx(500, abs=30)}

    async with leading_relay(database, RecordingPublisher(), page_rows=2) as relay:
        found = [(await relay.relay_batch(), (await ages(database))[0]) for _ in range(3)]

    assert [rows for rows, _ in found] == [2, 2, 1]
    # In the middle of a window, and behind it.
    assert [age for _, age in found] == [pytest.approx(300, abs=30), pytest.approx(100, abs=30), 0]


async def test_row_of_a_transaction_that_commits_late_is_among_them(database):
    async with database.sessions() as late:
        await late.execute(text("SELECT pg_current_xact_id()"))
        await rows_aged(database, 100)
        async with leading_relay(database, RecordingPublisher()) as relay:
            await relay.pass_once()
            assert (await ages(database))[0] == 0
            await late.execute(
                text(
                    "INSERT INTO outbox (recorded_at, time, slot, event_id, topic, type, source)"
                    " VALUES (now() - interval '900 s', now(), 3, gen_random_uuid(), 't', 'x', '/s')"
                )
            )
            await late.commit()

            assert (await ages(database))[0] == pytest.approx(900, abs=30)


async def test_what_is_looked_at_is_shown_until_a_look_fails(database, caplog):
    await execute(database, LETTER)
    looking = Looking(database=database, looks=[look_at_letters, look_at_outbox])
    await looking.look_once()
    seen = {(name, *labels): value for name, value, labels in looking.read() if isinstance(value, float | int)}
    assert seen["squad_dead_letters_open", "unreadable"] == 3
    assert 3_000 < seen["squad_dead_letters_oldest_age_seconds",] < 4_000
    assert seen["squad_parked_records",] == 0
    assert seen["squad_outbox_held_rows", "0"] == 0
    looked = seen["squad_database_look_age_seconds",]

    await execute(database, "ALTER TABLE held RENAME TO held_elsewhere")
    await looking.look_once()
    await looking.look_once()

    seen = {(name, *labels): value for name, value, labels in looking.read() if isinstance(value, float | int)}
    assert seen["squad_dead_letters_open", "unreadable"] == 3, "what can be seen is shown"
    assert not any("outbox" in name for name, *_ in seen)
    assert seen["squad_database_look_age_seconds",] > looked
    assert caplog.text.count("database not looked at for metrics") == 1, "one line for a state"


async def test_pool_says_how_many_connections_are_in_use_and_who_waits(database_url):
    def now() -> dict[str, object]:
        return {name.removeprefix("squad_pool_"): value for name, value, _ in read_pools({"lanes": database})}

    database = Database(url=database_url, pool_size=2)
    assert now() == {"connections": 2, "connections_in_use": 0, "waiting": 0}, "and nothing was opened for that"
    async with asyncio.TaskGroup() as tasks:
        async with database.engine.connect(), database.engine.connect():
            waiting = [tasks.create_task(_visit(database)) for _ in range(3)]
            for _ in range(100):
                await asyncio.sleep(0)
            assert now() == {"connections": 2, "connections_in_use": 2, "waiting": 3}
        await asyncio.wait(waiting)
    assert now() == {"connections": 2, "connections_in_use": 0, "waiting": 0}
    await database.close()


async def _visit(database: Database) -> None:
    async with database.engine.connect() as connection:
        await connection.execute(text("SELECT 1"))
