"""Finding dead letters: by what they are, a page at a time, oldest first; counted and in groups."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from consumers.records import Place


class LetterState(StrEnum):
    """What became of a dead letter; a closed list."""

    OPEN = "open"
    """Nobody has done anything about it, or a redrive of it failed."""
    REDRIVING = "redriving"
    """Its own record is decided; records that were parked behind it still wait."""
    REDRIVEN = "redriven"
    DISCARDED = "discarded"


UNSETTLED: Final = (LetterState.OPEN, LetterState.REDRIVING)
"""The states that wait for an operator."""


class NoLetterError(LookupError):
    """There is no such dead letter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which dead letters; what is absent does not count.

    Args:
        states: in one of these states.
        ids: one of these; none: any.
        reason: why it is one.
        type, source, command_id: of its command, where they could be read.
        key: of its record.
        topic, partition: where its record was.
        since, until: when it became one; from the first on, before the second.
        words: part of its detail, in any case.
    """

    states: Sequence[LetterState] = UNSETTLED
    ids: Sequence[str] = ()
    reason: str | None = None
    type: str | None = None
    source: str | None = None
    command_id: str | None = None
    key: bytes | None = None
    topic: str | None = None
    partition: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    words: str | None = None

    def parameters(self) -> dict[str, object]:
        """Give the parameters of the statements below."""
        return {
            "states": [str(state) for state in self.states],
            "ids": list(self.ids) or None,
            "reason": self.reason,
            "type": self.type,
            "source": self.source,
            "command_id": self.command_id,
            "key": self.key,
            "topic": self.topic,
            "partition": self.partition,
            "since": self.since or datetime.min.replace(tzinfo=UTC),
            "until": self.until or datetime.max.replace(tzinfo=UTC),
            "words": self.words,
        }

    def describe(self) -> dict[str, object]:
        """Give it as the audit has it: what is chosen by, and nothing else."""
        chosen = {name: value for name, value in self.parameters().items() if value is not None}
        chosen["since"], chosen["until"] = self.since, self.until
        return {
            name: value if isinstance(value, list | int) else _told(value)
            for name, value in chosen.items()
            if value is not None
        }


def _told(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A dead letter without its record.

    Attributes:
        id: as text.
        place: where its record was, with its Kafka time.
        key: its record's.
        value_bytes: the size of its record's value; absent with it.
        source, command_id, type: of its command, where they could be read.
        reason, detail: why it is one.
        attempts: how often its record was tried.
        first_at, last_at: when it became one, and when it was tried last.
        state: what became of it.
        replay_count: how often it was redriven in vain.
    """

    id: str
    place: Place
    key: bytes | None
    value_bytes: int | None
    source: str | None
    command_id: str | None
    type: str | None
    reason: str
    detail: str
    attempts: int
    first_at: datetime
    last_at: datetime
    state: LetterState
    replay_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Dead letters that have the same cause, as far as can be told.

    Attributes:
        reason, type: of each of them.
        detail: of each of them, with ids as `<id>` and numbers as `<n>`.
        count: how many.
        first_at, last_at: when the first and the last of them became one.
        example: the id of one of them.
    """

    reason: str
    type: str | None
    detail: str
    count: int
    first_at: datetime
    last_at: datetime
    example: str


_CHOSEN: Final = """
      AND (CAST(:ids AS uuid[]) IS NULL OR d.id = ANY(CAST(:ids AS uuid[])))
      AND (CAST(:reason AS text) IS NULL OR d.reason = CAST(:reason AS text))
      AND (CAST(:type AS text) IS NULL OR d.type = CAST(:type AS text))
      AND (CAST(:source AS text) IS NULL OR d.source = CAST(:source AS text))
      AND (CAST(:command_id AS text) IS NULL OR d.command_id = CAST(:command_id AS text))
      AND (CAST(:key AS bytea) IS NULL OR d.key = CAST(:key AS bytea))
      AND (CAST(:topic AS text) IS NULL OR d.topic = CAST(:topic AS text))
      AND (CAST(:partition AS integer) IS NULL OR d.partition = CAST(:partition AS integer))
      AND d.first_at >= CAST(:since AS timestamptz) AND d.first_at < CAST(:until AS timestamptz)
      AND (CAST(:words AS text) IS NULL OR position(lower(CAST(:words AS text)) IN lower(d.detail)) > 0)
"""

# State by state, so that each is a walk along ix_dead_letters_state that ends at the limit, however many there are.
FETCH: Final = text(
    f"""
    SELECT f.*
    FROM unnest(CAST(:states AS text[])) AS s(state)
    CROSS JOIN LATERAL (
        SELECT CAST(d.id AS text), d.topic, d.partition, d.record_offset, d.timestamp, d.key, length(d.value),
               d.source, d.command_id, d.type, d.reason, d.detail, d.attempts, d.first_at, d.last_at, d.state,
               d.replay_count
        FROM dead_letters d
        WHERE d.state = s.state
          AND d.first_at >= CAST(:after_at AS timestamptz)
          AND (d.first_at, d.id) > (CAST(:after_at AS timestamptz), CAST(:after_id AS uuid))
          {_CHOSEN}
        ORDER BY d.first_at, d.id
        LIMIT :limit
    ) AS f(id, topic, partition, record_offset, timestamp, key, value_bytes, source, command_id, type, reason, detail,
           attempts, first_at, last_at, state, replay_count)
    ORDER BY f.first_at, CAST(f.id AS uuid)
    LIMIT :limit
    """  # noqa: S608 - constants only
)

_COUNT: Final = text(
    f"""
    SELECT d.state, count(*)
    FROM dead_letters d
    WHERE d.state = ANY(CAST(:states AS text[])) {_CHOSEN}
    GROUP BY d.state
    """  # noqa: S608 - constants only
)

_STANDING: Final = text(
    f"""
    SELECT count(*) AS letters,
           count(*) FILTER (WHERE d.reason = 'too-old') AS too_old,
           count(*) FILTER (WHERE d.replay_count >= :max_replays) AS in_vain_too_often,
           COALESCE(sum(p.records), 0) AS parked
    FROM dead_letters d
    LEFT JOIN LATERAL (
        SELECT count(*) AS records FROM parked_streams s JOIN parked p ON p.stream = s.stream
        WHERE s.dead_letter_id = d.id
    ) AS p ON true
    WHERE d.state = ANY(CAST(:states AS text[])) {_CHOSEN}
    """  # noqa: S608 - constants only
)

# From the parked streams, which are few: what is discarded is as much as there ever was.
_HALF_DISCARDED: Final = text(
    f"""
    SELECT DISTINCT CAST(d.id AS text) AS id
    FROM parked_streams s JOIN dead_letters d ON d.id = s.dead_letter_id
    WHERE d.state = 'discarded' {_CHOSEN}
    ORDER BY id
    """  # noqa: S608 - constants only
)

_GROUPS: Final = text(
    rf"""
    SELECT d.reason, d.type, n.detail, count(*) AS count, min(d.first_at) AS first_at, max(d.first_at) AS last_at,
           min(CAST(d.id AS text)) AS example
    FROM dead_letters d
    CROSS JOIN LATERAL (
        SELECT regexp_replace(
            regexp_replace(d.detail, '[0-9a-f]{{8}}-([0-9a-f]{{4}}-){{3}}[0-9a-f]{{12}}', '<id>', 'gi'),
            '[0-9]+', '<n>', 'g'
        )
    ) AS n(detail)
    WHERE d.state = ANY(CAST(:states AS text[])) {_CHOSEN}
    GROUP BY d.reason, d.type, n.detail
    ORDER BY count(*) DESC, d.reason, d.type, n.detail
    LIMIT :limit
    """  # noqa: S608 - constants only
)

_PLACE_IN_ORDER: Final = text("SELECT first_at FROM dead_letters WHERE id = CAST(:id AS uuid)")


async def fetch_page(
    session: AsyncSession, chosen: Filter, *, after: str | None = None, limit: int = 100
) -> list[Letter]:
    """Give dead letters, the oldest first.

    Args:
        session: any.
        chosen: which.
        after: the id of the last one of the page before; the next ones are given.
        limit: how many at most.

    Raises:
        NoLetterError: `after` is none.
    """
    place = {"after_at": datetime.min.replace(tzinfo=UTC), "after_id": "00000000-0000-0000-0000-000000000000"}
    if after is not None:
        after_at = await session.scalar(_PLACE_IN_ORDER, {"id": after})
        if after_at is None:
            raise NoLetterError(f"there is no dead letter {after}")
        place = {"after_at": after_at, "after_id": after}
    found = await session.execute(FETCH, chosen.parameters() | place | {"limit": limit})
    return [_letter(row) for row in found]


async def fetch_half_discarded(session: AsyncSession, chosen: Filter) -> list[str]:
    """Give the ids of those that were discarded, by somebody who was killed before what waits behind them was applied.

    Args:
        session: any.
        chosen: which, whatever states it names.
    """
    parameters = {name: value for name, value in chosen.parameters().items() if name != "states"}
    return list(await session.scalars(_HALF_DISCARDED, parameters))


def _letter(row: Any) -> Letter:  # noqa: ANN401 - a row of `FETCH`
    place = Place(topic=row.topic, partition=row.partition, offset=row.record_offset, at=row.timestamp)
    given = {name: value for name, value in row._mapping.items() if name in Letter.__slots__}
    return Letter(**given | {"place": place, "state": LetterState(row.state)})


async def count_by_state(session: AsyncSession, chosen: Filter) -> dict[str, int]:
    """Count dead letters by their state."""
    return {row[0]: row[1] for row in await session.execute(_COUNT, chosen.parameters())}


async def fetch_standing(session: AsyncSession, chosen: Filter, *, max_replays: int) -> dict[str, int]:
    """Count dead letters as a redrive of them sees them, and what waits behind them.

    Args:
        session: any.
        chosen: which.
        max_replays: how often one may have been redriven in vain.

    Returns:
        How many `letters`; of these, `too_old` and `in_vain_too_often`; rows `parked` behind them.
    """
    row = (await session.execute(_STANDING, chosen.parameters() | {"max_replays": max_replays})).one()
    return {name: int(value) for name, value in row._mapping.items()}


async def fetch_groups(session: AsyncSession, chosen: Filter, *, limit: int = 100) -> list[Group]:
    """Give dead letters by reason, type and detail, the largest groups first.

    Args:
        session: any.
        chosen: which are counted.
        limit: how many groups at most.
    """
    found = await session.execute(_GROUPS, chosen.parameters() | {"limit": limit})
    return [Group(**row._mapping) for row in found]
