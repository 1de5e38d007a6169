"""A table that is missing, when a process begins or later: each part waits for it, and ends clearly if in vain."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from app.controls import Controls
from consumers.adoption import Adoption
from consumers.assignment import Assignment
from consumers.comparison import LastRecords
from consumers.group_offsets import GroupOffsets
from consumers.records import Partition
from db.database import Database
from db.telling import HalfDeployedError
from outbox.lease import Lease, relay_lease
from outbox.partitions import Partitions
from outbox.relay import Relay
from outbox.relays import Relays
from tests.relaying import Noted, RecordingPublisher, execute

PARTITION = Partition("squad.commands", 0)

Run = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A part, the table that it misses, what it says of that, and where."""

    build: Callable[[Database, float], Run]
    table: str
    says: str
    logger: str


def controls(database: Database, deploy_seconds: float) -> Run:
    return Controls(database=database, interval_seconds=0.01, deploy_seconds=deploy_seconds).read_first


def partitions(database: Database, deploy_seconds: float) -> Run:
    return Partitions(database=database, interval_seconds=0.01, deploy_seconds=deploy_seconds).run


def relay(database: Database, deploy_seconds: float) -> Run:
    return build_relay(database, deploy_seconds).run


def relays(database: Database, deploy_seconds: float) -> Run:
    def build(_: int) -> Relay:
        return build_relay(database, deploy_seconds)

    return Relays(database=database, build=build, interval_seconds=0.01, deploy_seconds=deploy_seconds).run


def build_relay(database: Database, deploy_seconds: float) -> Relay:
    return Relay(
        database=database,
        publisher=RecordingPublisher(),
        lease=Lease(database=database, name=relay_lease(0)),
        backoff_first_seconds=0.01,
        backoff_most_seconds=0.01,
        deploy_seconds=deploy_seconds,
    )


def adoption(database: Database, deploy_seconds: float) -> Run:
    assignment = Assignment(lanes=1, max_records=1, max_bytes=1)
    assignment.assign([PARTITION])
    # It looks for the checkpoint of one that is stopped, and needs no broker for that.
    assignment.stop(PARTITION, "a test wants it", None)
    return Adoption(
        consumer=None,
        database=database,
        last_records=LastRecords(client={}),
        assignment=assignment,
        group="a group",
        topic=PARTITION.topic,
        first_start="earliest",
        recheck_seconds=0.01,
        deploy_seconds=deploy_seconds,
    ).run


CASES = [
    Case(
        build=controls,
        table="controls",
        says="nothing is begun before the controls can be read",
        logger="squad.process",
    ),
    Case(build=partitions, table="outbox", says="partitions postponed", logger="squad.relay"),
    Case(build=relays, table="relay_cursors", says="shards not looked at", logger="squad.relay"),
    Case(build=relays, table="leases", says="shards not looked at", logger="squad.relay"),
    Case(build=relay, table="held", says="relay interrupted shard=0", logger="squad.relay"),
    Case(build=adoption, table="checkpoints", says="checkpoints cannot be loaded", logger="squad.source"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda each: f"{each.build.__name__} without {each.table}")
async def test_part_waits_for_a_missing_table_and_ends_where_it_does_not_come(
    database: Database, case: Case, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    waits, goes_on = Noted(f"{case.says}, trying for 60 s"), Noted(f"{case.says}: over after")
    monkeypatch.setattr(logging.getLogger(case.logger), "handlers", [waits, goes_on])
    caplog.set_level(logging.INFO, logger=case.logger)
    await execute(database, f"ALTER TABLE {case.table} RENAME TO elsewhere")

    async with asyncio.timeout(20):
        with pytest.raises((HalfDeployedError, ExceptionGroup)) as ended:
            await case.build(database, 0.03)()
        running = asyncio.ensure_future(case.build(database, 60)())
        await waits.event.wait()
        await execute(database, f"ALTER TABLE elsewhere RENAME TO {case.table}")
        await goes_on.event.wait()
        running.cancel()
        await asyncio.wait([running])

    assert "schema or rights do not fit this release (`squad migrate`?): " in told(ended.value)


async def test_copying_offsets_for_others_tools_is_nothing_to_end_for(database: Database) -> None:
    offsets = GroupOffsets(
        consumer=None,
        database=database,
        group="a group",
        positions={PARTITION: 7},
        interval_seconds=1,
        deadline_seconds=1,
    )
    await execute(database, "ALTER TABLE checkpoints RENAME TO elsewhere")

    await offsets.commit_once()


def told(error: BaseException) -> str:
    """Give what is said by an error, or by the first of a group."""
    return told(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else str(error)
