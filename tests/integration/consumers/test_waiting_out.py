"""The rows of the failure table in which no record is blamed: tried again, decided again, or left to others."""

import asyncio
from collections import Counter

import pytest
from sqlalchemy import text

from consumers.records import Batch
from db.database import Database
from db.errors import Failure
from db.telling import HalfDeployedError
from tests import making
from tests.applying import Bench
from tests.making import new_id, record
from tests.settling import Failing, settler
from tests.sources import Readers


async def test_transient_failures_are_tried_again_for_as_long_as_it_takes(bench, readers, caplog):
    failing = Failing(bench.processor, *(ConnectionRefusedError("no") for _ in range(8)))

    assert await settler(failing, readers).settle(await bench.batch([record(making.register_user())])) == frozenset()

    assert failing.calls == 9
    assert await bench.rows("SELECT count(*) FROM users") == [(1,)]
    said = [each for each in caplog.messages if "transient" in each or "going on" in each]
    assert len(said) == 2, "one line for each change of state, not for each attempt"


async def test_process_that_is_to_end_does_not_wait_for_the_database(bench, readers):
    stopping = asyncio.Event()
    failing = Failing(bench.processor, *(ConnectionRefusedError("no") for _ in range(1000)))
    settling = asyncio.create_task(
        settler(failing, readers, stopping=stopping).settle(await bench.batch([record(making.register_user())]))
    )
    while failing.calls < 3:  # noqa: ASYNC110 - the fake has nothing to wait for
        await asyncio.sleep(0)

    stopping.set()

    assert await asyncio.wait_for(settling, 10) == frozenset()
    assert await bench.rows("SELECT next_offset FROM checkpoints") == [(0,)]


async def test_batch_that_is_no_longer_ours_is_dropped(bench, readers):
    failing = Failing(bench.processor, ConnectionRefusedError("no"))
    batch = await bench.batch([record(making.register_user())])
    readers.current = False

    assert await settler(failing, readers).settle(batch) == frozenset()

    assert failing.calls == 0
    assert await bench.rows("SELECT count(*) FROM users") == [(0,)]


async def test_fenced_batch_is_dropped_and_read_again_from_the_checkpoint(bench, readers):
    await bench.batch([record(making.register_user())])
    late = await bench.batch([record(making.register_user())])

    assert await settler(bench.processor, readers).settle(late) == frozenset()

    assert readers.again == [late]
    assert await bench.rows("SELECT count(*) FROM users") == [(0,)]


async def settle_at_once(database: Database, readers: Readers, batches: list[Batch], *, table: str) -> Counter[Failure]:
    """Settle batches of rivals, none of which writes to a table before all have read it; gives what was retried."""
    settlers = [settler(Bench(database).processor, readers) for _ in batches]
    async with database.sessions() as gate, asyncio.timeout(30):
        await gate.execute(text(f"LOCK TABLE {table} IN SHARE MODE"))
        rivals = [asyncio.create_task(each.settle(batch)) for each, batch in zip(settlers, batches, strict=True)]
        waiting = text("SELECT count(*) FROM pg_locks WHERE relation = CAST(:table AS regclass) AND NOT granted")
        while await gate.scalar(waiting, {"table": table}) < len(batches):
            pass
        await gate.rollback()
        await asyncio.gather(*rivals)
    return sum((each.tally.retries for each in settlers), Counter())


async def test_rival_for_an_email_makes_the_rule_answer(database, readers):
    """Both see the e-mail free; the unique index stops the slower one, who reloads and is refused by the rule."""
    bench = Bench(database)
    batches = [
        await bench.batch([record(making.register_user(email="ada@example.org"))], partition=number)
        for number in range(6)
    ]

    retried = await settle_at_once(database, readers, batches, table="users")

    outcomes = Counter((each["outcome"], each["code"]) for each in await bench.outcomes())
    assert outcomes == {("applied", None): 1, ("rejected", "email-taken"): 5}
    assert retried == {Failure.CLASH: 5}
    assert not readers.stopped


async def test_rival_for_an_id_in_another_squad_makes_the_rule_answer(database, readers):
    bench, user_id, squads, project_id = Bench(database), new_id(), [new_id() for _ in range(6)], new_id()
    await bench.apply(record(making.register_user(user_id)))
    await bench.apply(*(record(making.create_squad(user_id, squad)) for squad in squads))
    batches = [
        await bench.batch([record(making.create_project(squad, project_id))], partition=number)
        for number, squad in enumerate(squads, 1)
    ]

    retried = await settle_at_once(database, readers, batches, table="projects")

    outcomes = Counter((each["outcome"], each["code"]) for each in (await bench.outcomes())[7:])
    assert outcomes == {("applied", None): 1, ("rejected", "project-exists"): 5}
    assert retried == {Failure.CLASH: 5}
    assert not readers.stopped


async def test_missing_column_waits_then_stops_the_process_and_makes_no_dead_letter(bench, readers):
    batch = await bench.batch([record(making.register_user())])
    async with bench.database.transaction() as session:
        await session.execute(text("ALTER TABLE users RENAME COLUMN plan_tier TO tier"))

    with pytest.raises(HalfDeployedError, match="squad migrate"):
        await settler(bench.processor, readers, deploy_seconds=0.2).settle(batch)

    async with bench.database.transaction() as session:
        await session.execute(text("ALTER TABLE users RENAME COLUMN tier TO plan_tier"))
    assert await settler(bench.processor, readers).settle(batch) == frozenset()
    assert await bench.rows("SELECT count(*) FROM users") == [(1,)]


async def test_missing_partition_of_the_outbox_is_a_deploy_that_is_half_done(bench, readers):
    batch = await bench.batch([record(making.register_user())])
    async with bench.database.transaction() as session:
        await session.execute(text("SELECT setval('outbox_position', 900000000000000000)"))

    with pytest.raises(HalfDeployedError):
        await settler(bench.processor, readers, deploy_seconds=0.2).settle(batch)

    assert await bench.rows("SELECT count(*) FROM users") == [(0,)]


async def test_killed_connections_are_transient(bench, readers):
    """Whoever is in a transaction is ended, again and again, at random moments; every batch is applied once."""
    killer, killed = Bench(Database(url=bench.database.url)), 0
    for _ in range(60):
        batch = await bench.batch([record(making.register_user()) for _ in range(5)])
        settling = asyncio.create_task(settler(bench.processor, readers).settle(batch))
        for _ in range(3):
            killed += len(
                await killer.rows(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                    " AND datname = current_database() AND xact_start IS NOT NULL"
                )
            )
        await settling
    await killer.database.close()

    assert killed > 20
    assert not readers.stopped
    assert await bench.rows("SELECT count(*), sum(version) FROM users") == [(300, 300)]
    assert await bench.rows("SELECT next_offset FROM checkpoints") == [(300,)]
