"""Checkpoints as an operator sees them beside the log, and how one is moved on purpose."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from app import topic_logs, wiring
from app.settings import Settings
from consumers import checkpoints
from consumers.checkpoints import Checkpoint
from consumers.records import Partition
from db import audit, processes

LIVE_SECONDS: Final = 15
"""A consumer that described itself within this time is believed to read what it says."""


class AcceptError(Exception):
    """A checkpoint cannot be moved as asked; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A partition of the commands: how far it was applied, beside its log.

    Args:
        partition: which one.
        checkpoint: `None` when there is none.
        log_start, log_end: the first offset, and the one behind the last record; `None`: there is no such partition.
        reader: who reads it, as `host:pid`; `None`: nobody that described itself lately.
        stopped: why it is stopped by a consumer; `None`: it is not.
    """

    partition: Partition
    checkpoint: Checkpoint | None
    log_start: int | None
    log_end: int | None
    reader: str | None
    stopped: str | None

    @property
    def next_offset(self) -> int | None:
        """Where the checkpoint stands; `None` when there is none."""
        return None if self.checkpoint is None else self.checkpoint.next_offset

    def describe(self, group: str) -> dict[str, Any]:
        """Give what is printed."""
        checkpoint = self.checkpoint or Checkpoint(next_offset=self.log_start or 0)
        return {
            "group": group,
            "topic": self.partition.topic,
            "partition": self.partition.number,
            "checkpoint": self.next_offset,
            "log_start": self.log_start,
            "log_end": self.log_end,
            "lag": None if self.log_end is None else max(0, self.log_end - checkpoint.next_offset),
            "last_record_at": _iso(checkpoint.last_timestamp),
            "accepted_at": _iso(checkpoint.accepted_at),
            "reader": self.reader,
            "stopped": self.stopped,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A checkpoint that is to be moved.

    Args:
        standing: as it was seen.
        next_offset: where to.
    """

    standing: Standing
    next_offset: int

    def describe(self) -> dict[str, Any]:
        """Give what is printed: before, after, and what that does."""
        before, start = self.standing.next_offset, self.standing.log_start or 0
        return {
            "topic": self.standing.partition.topic,
            "partition": self.standing.partition.number,
            "log_start": self.standing.log_start,
            "log_end": self.standing.log_end,
            "before": before,
            "after": self.next_offset,
            "gone_unread": max(0, start - before) if before is not None else 0,
            "skipped": max(0, self.next_offset - max(start, start if before is None else before)),
            "read_again": 0 if before is None else max(0, before - self.next_offset),
        }


async def fetch(settings: Settings) -> list[Standing]:
    """Give all partitions that have a checkpoint or a log."""
    topic = settings.topic("commands")
    ranges = await topic_logs.log_ranges(settings, topic)
    async with wiring.open_database(settings, pool_size=1) as database, database.sessions() as session:
        stored = await checkpoints.load_topic(session, settings.consumer_group, topic)
        readers, stopped = await _ask_consumers(session, settings.consumer_group)
    every = sorted({*stored, *(Partition(topic, number) for number in ranges)})
    return [
        Standing(
            partition=each,
            checkpoint=stored.get(each),
            log_start=ranges.get(each.number, (None, None))[0],
            log_end=ranges.get(each.number, (None, None))[1],
            reader=readers.get(str(each)),
            stopped=stopped.get(str(each)),
        )
        for each in every
    ]


async def _ask_consumers(session: AsyncSession, group: str) -> tuple[dict[str, str], dict[str, str]]:
    """Give who reads each partition, and why those are stopped that nobody reads."""
    readers: dict[str, str] = {}
    stopped: dict[str, str] = {}
    for each in await processes.fetch_live(session, max_age_seconds=LIVE_SECONDS):
        if each.state.get("group") == group:
            readers |= dict.fromkeys(each.state.get("positions", {}), f"{each.host}:{each.pid}")
            stopped |= each.state.get("stopped", {})
    return readers, {partition: why for partition, why in stopped.items() if partition not in readers}


def plan(standings: Sequence[Standing], numbers: Collection[int], *, everything: bool, to: str) -> list[Move]:
    """Say which checkpoints are to be moved, and where to.

    Args:
        standings: as `fetch` gives them.
        numbers: of the partitions.
        everything: all partitions that no consumer reads, in place of `numbers`.
        to: `earliest`, `latest` or an offset.

    Raises:
        AcceptError: no such partition, one that is being read, or an offset that is outside its log.
    """
    if everything == bool(numbers):
        raise AcceptError("name the partitions, or say --all")
    chosen = [each for each in standings if each.partition.number in numbers or (everything and each.reader is None)]
    unknown = set(numbers) - {each.partition.number for each in chosen}
    if unknown:
        raise AcceptError(f"there is no partition {', '.join(map(str, sorted(unknown)))}")
    if to not in {"earliest", "latest"} and len(chosen) > 1:
        raise AcceptError("an offset is one partition's: name one, or say earliest or latest")
    return [Move(standing=each, next_offset=_offset(each, to)) for each in chosen]


def _offset(standing: Standing, to: str) -> int:
    partition, start, end = standing.partition, standing.log_start, standing.log_end
    if standing.reader is not None:
        raise AcceptError(f"{partition} is not stopped: {standing.reader} reads it")
    if start is None or end is None:
        raise AcceptError(f"the topic has no {partition}")
    match to:
        case "earliest":
            return start
        case "latest":
            return end
        case _ if to.isdecimal() and start <= int(to) <= end:
            return int(to)
        case _:
            raise AcceptError(f"{to} is neither earliest nor latest nor an offset from {start} to {end} of {partition}")


async def accept(settings: Settings, moves: Sequence[Move], *, reason: str) -> None:
    """Move checkpoints, all or none, and note it in the audit.

    Raises:
        AcceptError: one stands elsewhere by now.
    """
    group = settings.consumer_group
    async with wiring.open_database(settings, pool_size=1) as database, database.transaction() as session:
        for move in moves:
            before, partition = move.standing.next_offset, move.standing.partition
            if not await checkpoints.accept(session, group, partition, move.next_offset, expected=before):
                raise AcceptError(f"the checkpoint of {partition} was moved meanwhile: look again; nothing was changed")
            await audit.record(
                session,
                action="checkpoints accept",
                target=f"{group} {partition}",
                reason=reason,
                before=None if before is None else {"next_offset": before},
                after={"next_offset": move.next_offset},
            )


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="milliseconds")
