"""Finding dead letters: a page at a time, oldest first; counted and in groups."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from consumers.letter_filter import CHOSEN, Filter, LetterState
from consumers.records import Place


class NoLetterError(LookupError):
    """There is no such dead letter."""


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
        detail: of each of them, with ids as `<id>` and numbers as `<n>`, but for states of the database.
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
          {CHOSEN}
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
    WHERE d.state = ANY(CAST(:states AS text[])) {CHOSEN}
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
    WHERE d.state = ANY(CAST(:states AS text[])) {CHOSEN}
    """  # noqa: S608 - constants only
)

# From the parked streams, which are few: what is discarded is as much as there ever was.
_HALF_DISCARDED: Final = text(
    f"""
    SELECT DISTINCT CAST(d.id AS text) AS id
    FROM parked_streams s JOIN dead_letters d ON d.id = s.dead_letter_id
    WHERE d.state = 'discarded' {CHOSEN}
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
            '(?<!sqlstate [0-9A-Z]{{0,4}})[0-9]+', '<n>', 'g'
        )
    ) AS n(detail)
    WHERE d.state = ANY(CAST(:states AS text[])) {CHOSEN}
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
