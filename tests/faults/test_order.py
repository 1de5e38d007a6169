"""The relay's order, on real Kafka: unruly writers, changing days, retiring partitions, two relays that contend."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from itertools import chain
from time import monotonic

import pytest
from sqlalchemy import text

from checker import publishing
from checker.case import Case
from checker.evidence import Evidence, OutboxRow, State, Tables, TopicDump
from checker.topics import read_topics
from db.database import Database
from outbox.connection import own_connection
from outbox.day_tables import fetch_tables
from outbox.days import POSITIONS_PER_DAY
from outbox.partitions import Partitions
from outbox.retention import Retention
from outbox.status import fetch_status
from tests.conftest import TopicFactory
from tests.contending_relays import LARGE, NAME, PAGE_ROWS, ContendingRelays
from tests.faults.progress import count_deadlocks
from tests.faults.results import Run, note_run
from tests.relaying import fetch_rows
from tests.unruly_writers import Clock, UnrulyWriters

FIRST_DAY = datetime(2031, 3, 4, 0, 0, 1, tzinfo=UTC)


SEEDS = [1, *(pytest.param(seed, marks=pytest.mark.long_faults) for seed in range(2, 42))]
JUDGED = (
    *("PUBLISHED", "NOTHING_ADDED", "SENT_AS_STORED", "REPEATED_ALIKE", "REPEATED_LITTLE"),
    *("ONE_PARTITION", "ORDER_KEPT", "GAPLESS", "VERSION_REACHED"),
)
"""The invariants of `checker.publishing`, which alone is asked here."""

HAPPENED = {
    "all writers at once": 1,
    "paused": 20,
    "committed": 20,
    "rolled back": 1,
    "transaction's id before the locks": 5,
    "transaction's id after the locks": 5,
    "position before the locks": 1,
    "savepoint: rollback to": 5,
    "savepoint: release": 5,
    "prepared: commit": 1,
    "prepared: rollback": 1,
    "days": 5,
    "days with rows": 5,
    **{f"pages of {rows}": 2 for rows in PAGE_ROWS},
    f"pages of {max(PAGE_ROWS)}, with more than {LARGE}": 1,
    "cursor read again": 1,
    "published by candidate 0": 1,
    "published by candidate 1": 1,
    "lost the lease": 1,
    "lost the connection": 1,
    "connections killed": 1,
    "broke before publishing": 1,
    "broke after publishing": 1,
    "cancelled": 1,
}
"""How often what at least, while the writers write; it goes on for so long."""

HAPPENED_THEN = {"slept": 1, "late": 1, "retired": 1}
"""And in the end: the late writer, which keeps the hot key locked until then, may commit, and its day be retired."""

COUNT_DAYS = f"SELECT count(DISTINCT position / {POSITIONS_PER_DAY}) FROM outbox"

PATIENCE_SECONDS = 60
"""How long at most the first is waited for."""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", SEEDS)
async def test_nothing_is_lost_or_out_of_order_whatever_writers_days_and_relays_do(
    request: pytest.FixtureRequest, database_url: str, bootstrap_servers: str, topic_factory: TopicFactory, seed: int
) -> None:
    topic, clock, began = await topic_factory(), Clock(FIRST_DAY), monotonic()
    async with connected(database_url, "writers", 30) as database, connected(database_url, NAME, 8) as fragile:
        writers = UnrulyWriters(database=database, topic=topic, seed=seed, clock=clock)
        relays = ContendingRelays(
            database=fragile, administrator=database, bootstrap_servers=bootstrap_servers, seed=seed
        )
        await play(database, clock, writers, relays, seconds=3)
        done = writers.done + relays.done
        deadlocks = await count_deadlocks(database)
        case = await read_case(database, bootstrap_servers, topic, repeats_allowed=done["repeatable"])
    faults = list(chain.from_iterable(check(case) for check in publishing.CHECKS))
    print(f"seed {seed}: {dict(sorted(done.items()))}")  # noqa: T201 - pytest shows it with a failure
    note_run(
        Run(
            name=request.node.name,
            seed=seed,
            result="FAIL" if faults else "PASS",
            faults={f"relay's order: {what}": times for what, times in done.items()},
            judged=JUDGED,
            broken=tuple({fault.invariant for fault in faults}),
            seconds=round(monotonic() - began, 1),
            deadlocks=deadlocks,
        )
    )
    assert faults == []
    assert missing(done, HAPPENED | HAPPENED_THEN) == set()
    assert writers.committed == set(range(12))
    assert any(what.startswith("retired: no, ") for what in done), "nobody tried to while it was needed"


def missing(done: Counter[str], wanted: Mapping[str, int]) -> set[str]:
    """Give what has not happened often enough."""
    return {what for what, least in wanted.items() if done[what] < least}


async def play(
    database: Database, clock: Clock, writers: UnrulyWriters, relays: ContendingRelays, *, seconds: float
) -> None:
    """Let writers, days and relays do their worst for some time at least, until all is published."""
    await maintenance(database, clock).maintain_once()
    async with asyncio.timeout(seconds + PATIENCE_SECONDS + 180), asyncio.TaskGroup() as group:
        group.create_task(relays.run())
        writing = group.create_task(writers.run())
        await change_days(database, clock, writers, relays, seconds=seconds)
        writers.stop()
        await writing
        with suppress(TimeoutError):
            # A relay whose connections were killed leaves a lease behind that lasts for half a minute.
            await until_published(database, seconds=90)
        relays.stop()


def maintenance(database: Database, clock: Clock) -> Partitions:
    return Partitions(database=database, interval_seconds=0.1, now=clock)


@asynccontextmanager
async def connected(url: str, name: str, pool_size: int) -> AsyncIterator[Database]:
    database = Database(url=url, application_name=name, pool_size=pool_size, idle_in_transaction_timeout_seconds=120)
    yield database
    await database.close()


async def change_days(
    database: Database, clock: Clock, writers: UnrulyWriters, relays: ContendingRelays, *, seconds: float
) -> None:
    """Let days pass, maintained by two processes, and retire the first, in the end while writers hold their breath."""
    maintainers = [maintenance(database, clock) for _ in range(2)]
    async with asyncio.TaskGroup() as group:
        for each in maintainers:
            group.create_task(each.run())
        began = monotonic()
        while (
            monotonic() < began + seconds
            or not writers.late_is_ready.is_set()
            or (missing(writers.done + relays.done, HAPPENED) and monotonic() < began + PATIENCE_SECONDS)
        ):
            await asyncio.sleep(0.5)
            clock.go_on()
            writers.done["days"] += 1
            await retire(database, clock, writers, lock_timeout_seconds=0.2)
            writers.done["days with rows"] = (await fetch_rows(database, COUNT_DAYS))[0][0]
        writers.may_begin.clear()
        writers.late_may_end.set()
        while not writers.done["retired"]:
            await retire(database, clock, writers, lock_timeout_seconds=2)
            await asyncio.sleep(0.05)
        writers.may_begin.set()
        clock.go_on()
        await asyncio.sleep(0.5)
        for each in maintainers:
            each.stop()


async def retire(database: Database, clock: Clock, writers: UnrulyWriters, *, lock_timeout_seconds: float) -> None:
    """Try to retire the first day, that of the late writer."""
    retention = Retention(database=database, keep_days=0, lock_timeout_seconds=lock_timeout_seconds, now=clock)
    obstacle = await retention.detach_once(FIRST_DAY.date())
    writers.done[f"retired{'' if obstacle is None else f': no, {obstacle}'}"] += 1


async def until_published(database: Database, *, seconds: float) -> None:
    """Wait until nothing is left to publish, but not for ever: what is missing then, the checker tells."""
    async with asyncio.timeout(seconds), own_connection(database) as connection:
        while (await fetch_status(connection))[0].backlog_rows:  # noqa: ASYNC110 - the table has no event
            await asyncio.sleep(0.05)


async def read_case(database: Database, bootstrap_servers: str, topic: str, *, repeats_allowed: int) -> Case:
    """Give what the checker needs of what the relay had to do: the outbox, retired tables too, and the topic."""
    rows: list[OutboxRow] = []
    columns = "position, topic, CAST(event_id AS text) AS event_id, key, body, sequence, recorded_at"
    async with database.engine.connect() as connection:
        for table in await fetch_tables(connection):
            found = await connection.execute(text(f"SELECT {columns} FROM {table.name} ORDER BY position"))
            rows += (OutboxRow(**row._mapping) for row in found)
    roots = await fetch_rows(database, "SELECT key, version FROM roots")
    topics = await read_topics({"bootstrap_servers": bootstrap_servers}, [topic])
    nothing = TopicDump(name="")
    tables = Tables(
        inbox=(),
        letters=(),
        outbox=rows,
        checkpoints={},
        versions={str(row.key): int(row.version) for row in roots},
        state=State(users={}, squads={}, members={}, projects={}, tasks={}, feedback={}, usage={}),
    )
    evidence = Evidence(
        history=(),
        commands=nothing,
        events=topics[topic],
        outcomes=nothing,
        dead_letters=nothing,
        tables=tables,
        repeats_allowed=repeats_allowed,
    )
    return Case(evidence)
