"""What waits behind a dead letter: the queues of its streams, from their beginnings to their ends."""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from consumers import parking
from consumers.queue_order import Queues, Waiting
from consumers.records import Place
from consumers.stored_records import NAMES, StoredRecord, read_row
from db.driver import fetch_records
from domain.values import Id

_STREAMS: Final = text(
    "SELECT CAST(stream AS text) FROM parked_streams WHERE dead_letter_id = CAST(:id AS uuid) ORDER BY stream"
)

_LOOK: Final = text(
    """
    SELECT CAST(stream AS text), CAST(dead_letter_id AS text) FROM parked_streams
    WHERE stream = ANY(CAST(:streams AS uuid[]))
    """
)

# The first one of each stream always, and then as many as there is room for.
_FIRST: Final = text(
    f"""
    SELECT CAST(x.stream AS text) AS stream, p.number, {", ".join(f"p.{name}" for name in NAMES)}
    FROM unnest(CAST(:streams AS uuid[])) AS x(stream)
    CROSS JOIN LATERAL (
        SELECT q.*, sum(length(q.value)) OVER earlier AS so_far
        FROM (SELECT * FROM parked q WHERE q.stream = x.stream ORDER BY q.number LIMIT :most) AS q
        WINDOW earlier AS (ORDER BY q.number ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
    ) AS p
    WHERE COALESCE(p.so_far, 0) < :max_bytes
    ORDER BY x.stream, p.number
    """  # noqa: S608 - constants only
)

_COUNT: Final = text(
    """
    SELECT count(*) FROM parked p JOIN parked_streams s ON s.stream = p.stream
    WHERE s.dead_letter_id = CAST(:id AS uuid)
    """
)

_FIND: Final = text(
    """
    SELECT CAST(stream AS text) FROM parked
    WHERE topic = :topic AND partition = :partition AND record_offset = :record_offset AND timestamp = :timestamp
    """
)

_REMOVE: Final = text(
    """
    DELETE FROM parked p
    USING unnest(CAST(:streams AS uuid[]), CAST(:numbers AS bigint[])) AS x(stream, number)
    WHERE p.stream = x.stream AND p.number = x.number
    """
)

_HAND_ON: Final = text(
    """
    UPDATE parked_streams SET dead_letter_id = CAST(:id AS uuid)
    WHERE stream = ANY(CAST(:streams AS uuid[]))
    """
)

# A statement of its own, after the lock: it sees whatever was parked before that.
_FREE: Final = text(
    """
    DELETE FROM parked_streams s
    WHERE s.dead_letter_id = CAST(:id AS uuid) AND s.stream = ANY(CAST(:streams AS uuid[]))
      AND NOT EXISTS (SELECT FROM parked p WHERE p.stream = s.stream)
    """
)


async def fetch_streams(session: AsyncSession, letter_id: Id) -> list[Id]:
    """Give the streams that wait behind a dead letter at the moment, without a lock."""
    return [row[0] for row in await fetch_records(session, _STREAMS, {"id": letter_id})]


async def load(
    session: AsyncSession,
    streams: Sequence[Id],
    *,
    most: int,
    max_bytes: int,
    streams_of: Callable[[Any], Iterable[Id]],
) -> Queues:
    """Give the beginnings of queues, without a lock: behind a locked letter, they only grow.

    Args:
        session: in the transaction.
        streams: whose.
        most: records of each stream at most.
        max_bytes: of each stream's values, about.
        streams_of: gives the streams that a record's command writes; none: it cannot be read any more.
    """
    by_place: dict[Place, Waiting] = {}
    by_stream: dict[Id, list[Waiting]] = {stream: [] for stream in streams}
    if most:
        asked = {"streams": list(streams), "most": most, "max_bytes": max_bytes}
        for row in await session.execute(_FIRST, asked):
            record = read_row(row)
            waiting = by_place.setdefault(record.place, Waiting(record))
            waiting.numbers[row.stream] = row.number
            by_stream[row.stream].append(waiting)
    for waiting in by_place.values():
        waiting.streams.update(waiting.numbers, streams_of(waiting.record) or await _find(session, waiting.record))
    cut = [stream for stream, queue in by_stream.items() if len(queue) >= most or _bytes_of(queue) >= max_bytes]
    return Queues(by_stream=by_stream, cut=cut)


def _bytes_of(queue: Iterable[Waiting]) -> int:
    return sum(len(waiting.record.value or b"") for waiting in queue)


async def _find(session: AsyncSession, record: StoredRecord) -> list[Id]:
    """Give the streams in which a record waits that cannot be read any more; it walks over the table, and is rare."""
    place = record.place
    asked = {
        "topic": place.topic,
        "partition": place.partition,
        "record_offset": place.offset,
        "timestamp": place.at,
    }
    return [row[0] for row in await fetch_records(session, _FIND, asked)]


async def look(session: AsyncSession, streams: Collection[Id]) -> dict[Id, Id]:
    """Give the letters that those of the streams wait behind which are parked, without a lock."""
    return {row[0]: row[1] for row in await fetch_records(session, _LOOK, {"streams": list(streams)})}


async def lock(session: AsyncSession, streams: Collection[Id]) -> dict[Id, Id]:
    """Lock those of the streams that are parked, after their roots; give the letter that each waits behind."""
    return {row[0]: row[1] for row in await fetch_records(session, parking.LOCK, {"streams": sorted(streams)})}


async def remove(session: AsyncSession, done: Iterable[Waiting]) -> None:
    """Take records out of the queues in which they were found."""
    places = [(stream, number) for waiting in done for stream, number in waiting.numbers.items()]
    if places:
        streams, numbers = map(list, zip(*places, strict=True))
        await session.execute(_REMOVE, {"streams": streams, "numbers": numbers})


async def hand_on(session: AsyncSession, streams: Collection[Id], letter_id: Id) -> None:
    """Let streams wait behind another letter."""
    if streams:
        await session.execute(_HAND_ON, {"streams": sorted(streams), "id": letter_id})


async def free(session: AsyncSession, streams: Collection[Id], letter_id: Id) -> None:
    """Let those of a letter's streams go on in which nothing waits any more."""
    await session.execute(_FREE, {"streams": sorted(streams), "id": letter_id})


async def count(session: AsyncSession, letter_id: Id) -> int:
    """Count the rows that wait behind a letter; a record in two streams counts twice."""
    counted: int = await session.scalar(_COUNT, {"id": letter_id}) or 0
    return counted
