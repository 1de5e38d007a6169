"""How long the partitions that are asked for have shown nothing: neither records nor word that there are none."""

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from consumers.records import Partition


@dataclass(frozen=True, slots=True)
class _Heard:
    position: int
    answered_at: int | None
    noted_at: float
    seconds: float


class Silence:
    """Counts only time in which a partition is asked for: not while it is paused, or its lane has enough to do.

    Args:
        gap_seconds: two notes of a partition that lie further apart count as so far apart.
        clock: gives seconds that never go back.
    """

    def __init__(self, *, gap_seconds: float, clock: Callable[[], float] = monotonic) -> None:
        self._gap_seconds = gap_seconds
        self._clock = clock
        self._heard: dict[Partition, _Heard] = {}

    def note(self, partition: Partition, *, position: int, end: int | None, answered_at: int | None) -> None:
        """Note what the client knows of a partition, after it was asked for it.

        Args:
            partition: which one.
            position: where the client reads on. It passes over what never becomes a record.
            end: up to where there is something to read, by the last answer; `None`: there was none.
            answered_at: when that came, by any clock.
        """
        now, before = self._clock(), self._heard.get(partition)
        seconds = 0.0
        if before is not None:
            is_told = answered_at != before.answered_at and end is not None and position >= end
            if position == before.position and not is_told:
                seconds = before.seconds + min(now - before.noted_at, self._gap_seconds)
        self._heard[partition] = _Heard(position, answered_at, now, seconds)

    def longest(self) -> tuple[Partition, float] | None:
        """Give who has been silent longest, and for how long, of those that were noted just now; `None`: nobody."""
        since = self._clock() - self._gap_seconds
        asked = [(each.seconds, partition) for partition, each in self._heard.items() if each.noted_at >= since]
        if not asked:
            return None
        seconds, partition = max(asked)
        return partition, seconds
