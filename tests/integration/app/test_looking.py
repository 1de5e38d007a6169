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

PARKED = """
    INSERT INTO parked_streams (stream, dead_letter_id, since)
    SELECT CAST(repeat(CAST(d.record_offset AS text), 32) AS uuid), id, now() FROM dead_letters d
    WHERE record_offset < 3;
    INSERT INTO parked (stream, number, topic, partition, record_offset, timestamp, header_names, header_values)
    SELECT stream, n, 't', 0, n, now(), '{}', '{}' FROM parked_streams, generate_series(1, 2) n;
    INSERT INTO parked (stream, number, topic, partition, record_offset, timestamp, header_names, header_values)
    SELECT stream, 3, 't', 0, 3, now(), '{}', '{}' FROM parked_streams LIMIT 1
"""
"""Of two streams, with two records and three."""

HELD = """
    INSERT INTO held (position, topic, key, slot, reason, awaits)
    VALUES (1, 't', 'a', 1, 'too large', NULL), (2, 't', 'a', 1, 'behind position 1', NULL),
           (3, 't', 'b', 2, 'too large', NULL), (4, 'u', 'a', 1, 'too large', NULL),
           (5, 'v', 'a', 1, 'it takes nothing', 'v'), (6, 'v', 'a', 1, 'behind position 5', 'v'),
           (7, 'v', 'a', 1, 'behind position 5', 'v')
"""
"""Seven rows of four topics and keys; three of them go on by themselves."""


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


async def test_what_is_parked_and_what_is_held_is_counted_each_by_itself(database):
    await execute(database, LETTER)
    for statement in (*PARKED.split(";"), HELD):
        await execute(database, statement)
    looking = Looking(database=database, looks=[look_at_letters, look_at_outbox])

    await looking.look_once()

    seen = {(name, *labels): value for name, value, labels in looking.read() if value}
    del seen["squad_dead_letters_oldest_age_seconds",], seen["squad_database_look_age_seconds",]
    assert seen == {
        ("squad_dead_letters_open", "unreadable"): 3,
        ("squad_parked_streams",): 2,
        ("squad_parked_records",): 5,
        ("squad_outbox_held_rows", "0"): 7,
        ("squad_outbox_holds", "0"): 4,
        ("squad_outbox_waiting_rows", "0"): 3,
    }


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
