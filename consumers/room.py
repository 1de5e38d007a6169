"""Whether there is room again for what may not be parked: asked for partitions that stopped because of it."""

from collections.abc import Collection, Iterator, Mapping
from time import monotonic

from sqlalchemy.ext.asyncio import AsyncSession

from consumers import parking
from consumers.parking import ParkingLimits
from consumers.records import Partition
from db.waiting import doubling_seconds
from domain.values import Id


class Room:
    """Asks less and less often, until some partition may go on.

    Args:
        limits: how many records may wait.
        first_seconds, most_seconds: between two looks.
    """

    def __init__(self, *, limits: ParkingLimits, first_seconds: float = 1, most_seconds: float = 15) -> None:
        self._limits = limits
        self._first_seconds = first_seconds
        self._most_seconds = most_seconds
        self._waits = self._begin()
        self._look_at = 0.0

    async def find(self, session: AsyncSession, awaited: Mapping[Partition, Collection[Id]]) -> set[Partition]:
        """Give the partitions that may go on; none, if it is too soon to look again.

        Args:
            session: any.
            awaited: the streams that hold up each partition.
        """
        if not awaited:
            self._waits, self._look_at = self._begin(), 0
        if not awaited or monotonic() < self._look_at:
            return set()
        found = {each for each, streams in awaited.items() if await parking.has_room(session, streams, self._limits)}
        if found:
            self._waits = self._begin()
        self._look_at = monotonic() + next(self._waits)
        return found

    def _begin(self) -> Iterator[float]:
        return doubling_seconds(first_seconds=self._first_seconds, most_seconds=self._most_seconds)
