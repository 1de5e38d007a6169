"""The floor below which the inbox forgets: when a command may be forgotten, and what is deleted then.

A row may go when every record that could still repeat its command would be refused as too old: when `ce_time`, the age
limit and the clocks' skew together are before the next record of every partition. Safety does not rest on that rule,
nor on anybody's clock: the floor is raised in the transaction that deletes, consumers read it in the statement that
looks for the row, and what is at or below the floor and not there is never applied. The rule sees to it that whoever
is to be answered or applied is not refused instead.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from consumers import checkpoints
from consumers.checkpoints import Slowest
from consumers.inbox import NoFloorError

PRODUCERS_TIME: Final = "commands may carry their producers' time, which does not tell what is still to come"
NO_CHECKPOINT: Final = "no partition has a checkpoint yet"

NO_FLOOR: Final = datetime.min.replace(tzinfo=UTC)
"""Nothing was forgotten: the lowest time that Python has, in place of `-infinity`."""

_FLOOR: Final = text("SELECT GREATEST(pruned_before, '0001-01-01 00:00 UTC'), now() FROM inbox_floor")

_RAISE: Final = text("UPDATE inbox_floor SET pruned_before = :floor WHERE pruned_before < :floor")

# From where the step before ended, so that no step walks over what the others left dead. `recorded_at` is what keeps a
# row for its time however late it was decided; and no transaction that missed the row can still be open then.
DELETE: Final = text(
    """
    WITH forgotten AS MATERIALIZED (
        SELECT i.source, i.command_id, i.ce_time
        FROM inbox i
        WHERE i.ce_time >= :from AND i.ce_time < :floor AND i.recorded_at < :recorded_before AND i.outcome_final
          AND NOT EXISTS (
              SELECT FROM dead_letters d
              WHERE d.source = i.source AND d.command_id = i.command_id AND d.state IN ('open', 'redriving')
          )
        ORDER BY i.ce_time
        LIMIT :max_rows
        FOR UPDATE OF i SKIP LOCKED
    ), deleted AS (
        DELETE FROM inbox i USING forgotten f
        WHERE i.source = f.source AND i.command_id = f.command_id
        RETURNING f.ce_time
    )
    SELECT count(*), max(ce_time) FROM deleted
    """
)

_SIZE: Final = text(
    """
    SELECT (SELECT CAST(reltuples AS bigint) FROM pg_class WHERE oid = CAST('inbox' AS regclass)),
           pg_total_relation_size('inbox'),
           (SELECT min(ce_time) FROM inbox),
           (SELECT count(*) FROM (SELECT FROM inbox WHERE ce_time < :floor LIMIT 100000) b)
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """When a decided command may be forgotten.

    Args:
        age_limit_seconds: how far a record may be behind its `ce_time`; what consumers refuse by.
        skew_seconds: how much clocks may differ.
        keep_seconds: how long it is remembered at least.
        trusts_time: whether the broker stamps the records; else nothing is ever forgotten.
    """

    age_limit_seconds: float = 7 * 86_400
    skew_seconds: float = 300
    keep_seconds: float = 30 * 86_400
    trusts_time: bool = True

    def find_floor(self, slowest: Slowest | None, now: datetime) -> tuple[datetime | None, str | None]:
        """Say how high the floor may be, and what keeps it from being as high as `keep_seconds` alone would let it.

        Args:
            slowest: the partition that is behind all others.
            now: the database's time.

        Returns:
            The floor, or `None` where there may be none; and what holds it back, or `None`.
        """
        if not self.trusts_time:
            return None, PRODUCERS_TIME
        if slowest is None:
            return None, NO_CHECKPOINT
        whose = f"{slowest.partition} of the group {slowest.group}"
        if slowest.applied_until is None:
            return None, f"{whose} has not been read yet"
        kept = now - timedelta(seconds=self.keep_seconds)
        safe = slowest.applied_until - timedelta(seconds=self.age_limit_seconds + self.skew_seconds)
        if safe < kept:
            return safe, f"{whose} is applied only up to {slowest.applied_until:%Y-%m-%d %H:%M:%S} UTC"
        return kept, None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where pruning stands.

    Args:
        floor: commands sent by then may be forgotten; `None`: none was.
        next_floor: how high the floor may be; `None`: not raised.
        held_back: what keeps the floor low; `None`: nothing but the time for which rows are kept.
        now: the database's time.
    """

    floor: datetime | None
    next_floor: datetime | None
    held_back: str | None
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxSize:
    """How large the inbox is.

    Args:
        rows: an estimate; `None`: unknown before the first vacuum.
        bytes: with its indexes.
        oldest: the lowest `ce_time`; `None`: it is empty.
        below_floor: rows still there below the floor, to be deleted or kept for a dead letter; counted to 100,000.
    """

    rows: int | None
    bytes: int
    oldest: datetime | None
    below_floor: int


async def fetch_standing(session: AsyncSession, rule: Rule) -> Standing:
    """Say where pruning stands, and how far the floor may be raised.

    Raises:
        NoFloorError: the floor's row is gone.
    """
    row = (await session.execute(_FLOOR)).one_or_none()
    if row is None:
        raise NoFloorError("inbox_floor has no row")
    next_floor, held_back = rule.find_floor(await checkpoints.fetch_slowest(session), row[1])
    floor = None if row[0] <= NO_FLOOR else row[0]
    return Standing(floor=floor, next_floor=next_floor, held_back=held_back, now=row[1])


async def fetch_size(session: AsyncSession, floor: datetime | None) -> InboxSize:
    """Say how large the inbox is."""
    rows, size, oldest, below = (await session.execute(_SIZE, {"floor": floor or NO_FLOOR})).one()
    return InboxSize(rows=None if rows < 0 else rows, bytes=size, oldest=oldest, below_floor=below)


async def raise_to(session: AsyncSession, floor: datetime) -> None:
    """Raise the floor; where it is higher, it stays."""
    await session.execute(_RAISE, {"floor": floor})


async def delete_forgotten(
    session: AsyncSession, *, begin: datetime, end: datetime, recorded_before: datetime, max_rows: int
) -> tuple[int, datetime | None]:
    """Delete rows whose `ce_time` is in a range, oldest first; those of open dead letters stay.

    Args:
        session: in the transaction that raised the floor to `end` at least.
        begin, end: the range, without its end.
        recorded_before: rows decided at or after this stay.
        max_rows: that are deleted at most.

    Returns:
        How many were deleted, and the last one's `ce_time`.
    """
    place = {"from": begin, "floor": end, "recorded_before": recorded_before, "max_rows": max_rows}
    deleted, last = (await session.execute(DELETE, place)).one()
    return deleted, last
