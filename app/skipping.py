"""Stepping over batches of records that nobody can read: seen before, named as dead letters, noted in the audit."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from app import checkpoints as operated
from app import wiring
from app.broker import client_arguments
from app.settings import Settings
from consumers import checkpoints, dead_letters, unpacking
from consumers.dead_letters import Refused
from consumers.raw_batches import RawBatch, open_raw_batches
from consumers.records import Partition, moment_at
from db import audit
from messages.refusals import Reason
from outbox.append import Outbox

MAX_RECORDS: Final = 10_000
"""Of one step: each becomes a dead letter."""


class SkipError(operated.AcceptError):
    """There is nothing to step over, or it is not as it was seen; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skip:
    """What is to be stepped over.

    Args:
        partition: which one.
        before: its checkpoint.
        batches: those that cannot be read, one behind the other, from the checkpoint on.
        following: the batch behind them, of which at least the first record can be read; `None`: the log ends there.
    """

    partition: Partition
    before: int
    batches: Sequence[RawBatch]
    following: RawBatch | None

    @property
    def after(self) -> int:
        """Where reading goes on."""
        return self.batches[-1].next_offset

    def describe(self) -> list[dict[str, Any]]:
        """Give what is printed: a line for each batch."""
        return [
            {
                "topic": self.partition.topic,
                "partition": self.partition.number,
                "first": max(self.before, each.first_offset),
                "last": each.next_offset - 1,
                "skipped": each.next_offset - max(self.before, each.first_offset),
                "appended_at": each.at.isoformat(timespec="milliseconds"),
                "bytes": each.size_bytes,
                "codec": each.codec,
                "fault": each.fault,
                "next_fetchable": None if self.following is None else max(self.after, self.following.first_offset),
            }
            for each in self.batches
        ]


async def plan(settings: Settings, number: int) -> Skip:
    """See what of a partition cannot be read, from its checkpoint on; nothing is changed.

    Raises:
        SkipError: there is no such partition or checkpoint, or the next record can be read.
        aiokafka.errors.KafkaError: the broker cannot be reached, or refuses us.
    """
    standing = next((each for each in await operated.fetch(settings) if each.partition.number == number), None)
    if standing is None or standing.next_offset is None or standing.log_start is None or standing.log_end is None:
        raise SkipError(f"there is no partition {number}, or it has no checkpoint: nothing of it was ever to be read")
    if not standing.log_start <= standing.next_offset <= standing.log_end:
        raise SkipError(f"the checkpoint {standing.next_offset} of {standing.partition} is outside its log: accept one")
    unpacking.bound(settings.fetch_max_unpacked_bytes)
    batches, following = await _read(settings, standing.partition, standing.next_offset)
    if not batches:
        where = "the log ends there" if following is None else "the record there can be read"
        raise SkipError(
            f"nothing to skip: the checkpoint of {standing.partition} is {standing.next_offset}, and {where}"
        )
    return Skip(partition=standing.partition, before=standing.next_offset, batches=batches, following=following)


async def _read(settings: Settings, partition: Partition, begin: int) -> tuple[list[RawBatch], RawBatch | None]:
    found: list[RawBatch] = []
    at, skipped = begin, 0
    async with open_raw_batches(client_arguments(settings), partition) as batches:
        while (batch := await batches.read(at)) is not None:
            if not batch.is_passed_over:
                skipped += batch.next_offset - max(at, batch.first_offset)
                if batch.is_readable_from(at) or (found and skipped > MAX_RECORDS):
                    break
                found.append(batch)
            at = batch.next_offset
    return found, batch


async def skip(settings: Settings, asked: Skip, *, reason: str) -> None:
    """Step over it: dead letters, the checkpoint and the audit in one transaction; whoever reads is fenced.

    Raises:
        SkipError: the checkpoint stands elsewhere by now.
    """
    group, topics, outbox = settings.consumer_group, wiring.build_topics(settings), Outbox()
    letters = _letters(asked, reason)
    for letter in letters:
        dead_letters.append(
            outbox,
            letter,
            topic=topics.dead_letters,
            source=topics.source,
            time_microseconds=moment_at(letter.record.timestamp).microseconds,
            max_bytes=topics.dead_letter_bytes,
        )
    async with wiring.open_database(settings, pool_size=1) as database, database.transaction() as session:
        if not await checkpoints.accept(session, group, asked.partition, asked.after, expected=asked.before):
            raise SkipError(f"the checkpoint of {asked.partition} was moved meanwhile: look again; nothing was changed")
        await dead_letters.insert(session, letters)
        await audit.record(
            session,
            action="checkpoints skip",
            target=f"{group} {asked.partition}",
            reason=reason,
            before={"next_offset": asked.before},
            after={"next_offset": asked.after, "dead_letters": len(letters)},
        )
        await outbox.write(session)


def _letters(asked: Skip, reason: str) -> list[Refused]:
    return [
        Refused(record, None, Reason.UNFETCHABLE, f"cannot be read: {batch.fault}; stepped over: {reason}")
        for batch in asked.batches
        for record in batch.unfetched(asked.partition, asked.before)
    ]
