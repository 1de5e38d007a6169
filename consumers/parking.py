"""Streams that wait behind a dead letter, and the records that wait in them: the tables `parked_streams`, `parked`.

A row of `parked_streams` is the lock of parking, redriving and discarding: the root may not exist, for the dead letter
may be the command that makes it. It is taken after the checkpoint and the roots.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from consumers import stored_records
from consumers.dead_letters import storable
from consumers.decode import Incoming
from consumers.halting import HaltError
from consumers.inbox import RivalError
from consumers.records import moment_of
from db.driver import fetch_records
from db.rows import RowType
from domain.values import Id

ROWS: Final = RowType("parked", ("stream", "number", *stored_records.NAMES, "source", "command_id", "type"))

LOOK: Final = text("SELECT CAST(p.stream AS text) FROM parked_streams p WHERE p.stream = ANY(CAST(:streams AS uuid[]))")

LOCK: Final = text(
    """
    SELECT CAST(p.stream AS text), CAST(p.dead_letter_id AS text)
    FROM parked_streams p
    WHERE p.stream = ANY(CAST(:streams AS uuid[]))
    ORDER BY p.stream
    FOR UPDATE
    """
)

# Numbers of a stream have no gaps, and only its first records are ever taken away: its length needs no counting.
# A statement of its own, for what another consumer parked while the lock was waited for is not seen by that one.
_LENGTHS: Final = text(
    """
    SELECT CAST(x.stream AS text), last.number, last.number - first.number + 1,
           (SELECT count(*) FROM (SELECT FROM parked LIMIT :most) w)
    FROM unnest(CAST(:streams AS uuid[])) AS x(stream)
    LEFT JOIN LATERAL (SELECT number FROM parked p WHERE p.stream = x.stream ORDER BY number LIMIT 1) first ON true
    LEFT JOIN LATERAL (SELECT number FROM parked p WHERE p.stream = x.stream ORDER BY number DESC LIMIT 1) last ON true
    """
)

_ADD_STREAMS: Final = text(
    """
    INSERT INTO parked_streams (stream, dead_letter_id, since)
    SELECT x.stream, x.dead_letter_id, now()
    FROM unnest(CAST(:streams AS uuid[]), CAST(:letters AS uuid[])) AS x(stream, dead_letter_id)
    ORDER BY x.stream
    ON CONFLICT DO NOTHING
    RETURNING 1
    """
)


_ROOM_LETS_IT_GO_ON: Final = "it goes on by itself once half of that is gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkingLimits:
    """How many records may wait.

    Args:
        of_stream: behind the dead letter of one stream.
        in_all: rows, so that a record that waits in two streams counts twice; those that several consumers park at once
            may exceed it by a batch each.
    """

    of_stream: int = 10_000
    in_all: int = 100_000


@dataclass(slots=True)
class _Length:
    last: int = 0
    waiting: int = 0


@dataclass(slots=True)
class Parking:
    """Which of a batch's streams are parked, and what the batch parks in them.

    Args:
        limits: how many records may wait.
    """

    limits: ParkingLimits
    _letters: dict[Id, Id] = field(default_factory=dict)
    _lengths: dict[Id, _Length] = field(default_factory=dict)
    _waiting: int = 0
    _new: dict[Id, Id] = field(default_factory=dict)
    _rows: list[tuple[Any, ...]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self._letters)

    async def lock(self, session: AsyncSession, streams: Collection[Id], looked: Collection[Id] = ()) -> None:
        """Find and lock those of the streams that are parked; their roots are locked before.

        Args:
            session: in the batch's transaction.
            streams: all that the batch's commands write.
            looked: those that `look` found before the state was loaded.

        Raises:
            RivalError: one that was parked then is not any more: what was loaded may be from before its redrive, where
                there was no root to be locked.
        """
        if not streams:
            return
        # Without a lock first: a row that goes while it is waited for would look as if it had never been there.
        found = await look(session, streams)
        expected = found.union(looked)
        if not expected:
            return
        self._letters = {row[0]: row[1] for row in await fetch_records(session, LOCK, {"streams": sorted(expected)})}
        if self._letters.keys() != expected:
            raise RivalError("a parked stream was redriven meanwhile")
        asked = {"streams": sorted(expected), "most": self.limits.in_all + 1}
        for stream, last, waiting, self._waiting in await fetch_records(session, _LENGTHS, asked):
            self._lengths[stream] = _Length(last or 0, waiting or 0)

    def find_letter(self, streams: Iterable[Id]) -> Id | None:
        """Give the dead letter that a command waits behind which writes these streams; of several, the first one's."""
        return next((self._letters[stream] for stream in streams if stream in self._letters), None)

    def begin(self, streams: Iterable[Id], letter_id: Id) -> None:
        """Let streams wait behind a dead letter; one that waits already does so behind its own."""
        for stream in streams:
            if stream not in self._letters:
                self._letters[stream] = self._new[stream] = letter_id

    def park(self, incoming: Incoming, streams: Sequence[Id], letter_id: Id) -> None:
        """Let a command wait in each stream that it writes; else a later one of another stream would overtake it.

        Raises:
            HaltError: too many wait.
        """
        self.begin(streams, letter_id)
        for stream in streams:
            length = self._lengths.setdefault(stream, _Length())
            length.last += 1
            length.waiting += 1
            self._waiting += 1
            if length.waiting > self.limits.of_stream:
                raise HaltError(
                    f"{self.limits.of_stream} records wait behind dead letter {self._letters[stream]} already, and more"
                    f" may not (SQUAD_PARKED_STREAM_MAX_COMMANDS); {_ROOM_LETS_IT_GO_ON}",
                    awaits=streams,
                )
            if self._waiting > self.limits.in_all:
                raise HaltError(
                    f"{self.limits.in_all} records are parked already, and more may not be (SQUAD_PARKED_MAX_COMMANDS);"
                    f" {_ROOM_LETS_IT_GO_ON}",
                    awaits=streams,
                )
            self._rows.append(_row(incoming, stream, length.last))

    async def write(self, session: AsyncSession) -> None:
        """Store what was parked, after the dead letters.

        Raises:
            RivalError: another consumer parked one of the streams first.
        """
        if self._new:
            asked = {"streams": list(self._new), "letters": list(self._new.values())}
            if len(await fetch_records(session, _ADD_STREAMS, asked)) != len(self._new):
                raise RivalError("another consumer parked one of the streams meanwhile")
        await ROWS.insert(session, self._rows)


async def look(session: AsyncSession, streams: Collection[Id]) -> set[Id]:
    """Give those of the streams that are parked at the moment, without a lock."""
    return {row[0] for row in await fetch_records(session, LOOK, {"streams": list(streams)})}


async def has_room(session: AsyncSession, streams: Collection[Id], limits: ParkingLimits) -> bool:
    """Tell whether a command that was not parked because too many were would get on now.

    It does if its streams are parked no more, or if of either limit only half is used: with less room it would stop
    again soon, once and once more while a redrive makes room.

    Args:
        session: any.
        streams: what the command writes.
        limits: how many records may wait.
    """
    if not await look(session, streams):
        return True
    asked = {"streams": sorted(streams), "most": limits.in_all // 2 + 1}
    lengths = await fetch_records(session, _LENGTHS, asked)
    return all(
        (waiting or 0) <= limits.of_stream // 2 and in_all <= limits.in_all // 2 for _, _, waiting, in_all in lengths
    )


def _row(incoming: Incoming, stream: Id, number: int) -> tuple[object, ...]:
    record, envelope = incoming.record, incoming.envelope
    return (
        stream,
        number,
        record.topic,
        record.partition,
        record.offset,
        moment_of(record),
        record.key,
        record.value,
        [storable(name) for name, _ in record.headers],
        [value for _, value in record.headers],
        envelope and envelope.source,
        envelope and envelope.id,
        envelope and envelope.type,
    )
