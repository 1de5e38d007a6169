"""PostgreSQL's disk is full: commands wait, none becomes a dead letter, and all goes on once there is space."""

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import text

import stack as stacks
from app.settings import Settings
from stack.local_stack import LocalStack
from stack.starting import ExternalStack
from tests.acceptance.conftest import eventually
from tests.faults.actors import Actor, Nursery
from tests.faults.going_on import goes_on
from tests.faults.progress import UNREADABLE
from tests.faults.scenario import Scenario, open_scenario
from tests.faults.servers import own_ground, start_own
from tests.faults.small_disk import Disk, on_small_disk, why_no_disk

pytestmark = [
    pytest.mark.skipif(bool(why_no_disk()), reason=why_no_disk()),
    pytest.mark.real_kafka("groups of several consumers"),
    pytest.mark.long_faults,
    pytest.mark.timeout(300),
]

SMALL = {"max_wal_size": "64MB", "min_wal_size": "32MB", "fsync": "off"}
SIZE_MIB = 256
ANOTHER_FILE = text("SELECT pg_logical_emit_message(false, 'tests', 'x'), pg_switch_wal()")
"""Has the server's log go on in another file; with nothing written to the one before, it would not."""


async def test_full_disk_is_waited_for_and_nothing_becomes_a_dead_letter(
    bare_settings: Settings, nursery: Nursery, stack: stacks.Stack
) -> None:
    """First no table can grow; then the server's log cannot either, and with that it ends."""
    async with start_own("embedded", postgres_settings=SMALL) as servers:
        with on_small_disk(servers, size_mib=SIZE_MIB) as disk:
            mixed = ExternalStack(
                database_url=servers.database_url, bootstrap_servers=stack.bootstrap_servers, description="mixed"
            )
            async with (
                own_ground(mixed, bare_settings) as own,
                open_scenario(own, nursery, name="disk full", seed=111) as run,
            ):
                consumer, _ = await run.start("consumer"), await run.start("relay")
                await run.register_users()
                async with run.load(rate=100):
                    await run.pause(0.5, 1.0)
                    for _ in range(2):
                        await let_tables_grow_no_more(run, disk, consumer)
                    await let_the_log_grow_no_more(run, servers, disk)
                await run.conclude(drain_seconds=90)
                assert await count_culprits(run) == 0


async def let_tables_grow_no_more(run: Scenario, disk: Disk, consumer: Actor) -> None:
    told = consumer.printed.count("sqlstate 53100")
    await asyncio.to_thread(disk.fill)

    async def is_met() -> bool:
        return consumer.printed.count("sqlstate 53100") > told

    await eventually("the consumer meets it", is_met)
    await run.pause(3, 4)
    free_bytes, waits = disk.free_bytes, consumer.printed.count("sqlstate 53100") - told
    assert all(actor.lives for actor in run.actors), "they wait"
    await asyncio.to_thread(disk.free)
    run.journal.note("disk full", free_bytes=free_bytes, told=waits, **await run.glance())
    await goes_on(run, "consuming", after="the disk was full", every=False)


async def let_the_log_grow_no_more(run: Scenario, servers: LocalStack, disk: Disk) -> None:
    """Have the server need another file for its log, without which it can take no transaction, and give up."""
    before = servers.pids["postgres"]
    await asyncio.to_thread(disk.fill)
    said = await fill_the_log(run, servers.postgres.log_path)
    await run.pause(3, 4)
    assert all(actor.lives for actor in run.actors), "they wait"
    free_bytes = disk.free_bytes
    await asyncio.to_thread(disk.free)
    # Where it could not even recover it has ended; else it has begun anew by itself.
    if "postgres" not in servers.pids:
        await asyncio.to_thread(servers.postgres.start)
    run.journal.note(
        "disk full, and the server's log with it",
        breaks=1,
        free_bytes=free_bytes,
        said=said,
        pid_before=before,
        pid_after=servers.pids["postgres"],
    )
    # The first who asks meets connections that went with the server.
    await run.until(lambda _: True, "the database answers", 30)
    await goes_on(run, "consuming", after="the log's disk was full", every=False)


async def fill_the_log(run: Scenario, log: Path) -> str:
    """Have the log begin new files until there is none to be had; gives the server's last words."""
    async with asyncio.timeout(60):
        while "PANIC:" not in (said := await asyncio.to_thread(log.read_text, errors="replace")):
            with suppress(*UNREADABLE):
                async with run.database.engine.connect() as connection:
                    await connection.execute(ANOTHER_FILE)
            await asyncio.sleep(0.05)
    return said.rpartition("PANIC:")[2].partition("\n")[0].strip()


async def count_culprits(run: Scenario) -> int:
    """Count dead letters that nobody sent as such."""
    statement = text("SELECT count(*) FROM dead_letters WHERE reason = 'unexpected'")
    async with run.database.engine.connect() as connection:
        return int((await connection.execute(statement)).scalar_one())
