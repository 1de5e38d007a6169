"""Which topics and partitions take nothing, why, and since when; a log line for each change, not for each attempt."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import Final

from outbox import kafka_errors
from outbox.kafka_errors import Blame

logger = logging.getLogger("squad.relay")

_PART_OF_PATIENCE: Final = 0.1


@dataclass(frozen=True, slots=True)
class Place:
    """A partition, or a topic as a whole."""

    topic: str
    partition: int | None = None

    def __str__(self) -> str:
        return self.topic if self.partition is None else f"{self.topic}[{self.partition}]"


@dataclass(slots=True, kw_only=True)
class Trouble:
    """What a place has, from the first failure until something is acknowledged.

    Attributes:
        error: the last one's name.
        blame: whose fault it was.
        since: when it began.
        began: the same, by the monotonic clock.
        is_lasting: whether its rows wait aside.
        has_timed_out: whether a producer did not answer for it.
    """

    error: str
    blame: Blame
    since: datetime
    began: float
    is_lasting: bool = False
    has_timed_out: bool = False


class Troubles:
    """Remembers the trouble of each place, and Kafka's as a whole.

    Args:
        patience_seconds: after so long the trouble of a place is lasting, if it is the place's own: Kafka said so of
            it, or took what was sent elsewhere meanwhile. While one is, a tenth of it has to do for others: what stops
            a partition seldom stops only one, and they are not to be waited for one after another.
        clock: seconds that only go forward.
    """

    def __init__(self, *, patience_seconds: float, clock: Callable[[], float] = monotonic) -> None:
        self._patience_seconds = patience_seconds
        self._clock = clock
        self._places: dict[Place, Trouble] = {}
        self._taken_at = clock()
        self._kafka: Trouble | None = None

    def note(self, place: Place, error: BaseException) -> bool:
        """Remember that a place did not take what it was to.

        Returns:
            Whether that lasts.
        """
        trouble = self._places.setdefault(place, self._begin(error))
        trouble.error, trouble.blame = kafka_errors.name(error), kafka_errors.classify(error)
        is_own = trouble.blame is Blame.PLACE or self._taken_at > trouble.began
        if not trouble.is_lasting and is_own and self.patience_left(place) <= 0:
            trouble.is_lasting = True
            logger.error(
                "kafka takes nothing place=%s error=%s since=%s UTC: its rows wait, others go on",
                *(place, trouble.error, f"{trouble.since:%Y-%m-%d %H:%M:%S}"),
            )
        return trouble.is_lasting

    def note_timeout(self, place: Place) -> bool:
        """Remember that a producer did not answer for a place that has trouble; gives whether that is new.

        It is not while any place waits for one: what stops one producer mostly stops the next.
        """
        is_new = not any(each.has_timed_out for each in self._places.values())
        self._places[place].has_timed_out = True
        return is_new

    def note_taken(self, place: Place) -> None:
        """Remember that a place took something."""
        self._taken_at = self._clock()
        if not self._places:
            return
        for each in (place, Place(place.topic)):
            trouble = self._places.pop(each, None)
            if trouble is not None and trouble.is_lasting:
                seconds = self._taken_at - trouble.began
                logger.info("kafka takes rows again place=%s after_seconds=%.0f", each, seconds)

    def note_unavailable(self, error: BaseException) -> bool:
        """Remember that Kafka as a whole cannot be had; gives whether that is new."""
        is_new = self._kafka is None
        if self._kafka is None:
            self._kafka = self._begin(error)
            logger.warning("kafka unavailable, trying for as long as it takes error=%r", error)
        self._kafka.error = kafka_errors.name(error)
        return is_new

    def note_available(self) -> bool:
        """Remember that it can; gives whether that is new."""
        was = self.forget_unavailable()
        if was is not None:
            logger.info("kafka available again after_seconds=%.0f", self._clock() - was.began)
        return was is not None

    def forget_unavailable(self) -> Trouble | None:
        """Wait for Kafka no longer, whether it can be had or not; gives what it was waited for."""
        was, self._kafka = self._kafka, None
        return was

    def is_lasting(self, place: Place) -> bool:
        """Whether the rows of a place, or of its whole topic, are to wait aside."""
        if not self._places:
            return False
        found = (self._places.get(place), self._places.get(Place(place.topic)))
        return any(trouble is not None and trouble.is_lasting for trouble in found)

    def describe_place(self, place: Place) -> str:
        """Say what a place has, for the rows that wait for it."""
        trouble = self._places.get(place) or self._places.get(Place(place.topic))
        return "kafka takes nothing" if trouble is None else f"kafka takes nothing: {trouble.error}"

    def patience_left(self, place: Place) -> float:
        """Give how many seconds are left until the trouble of a place can be lasting."""
        trouble = self._places.get(place)
        is_first = not any(each.is_lasting for each in self._places.values())
        patience_seconds = self._patience_seconds if is_first else self._patience_seconds * _PART_OF_PATIENCE
        return patience_seconds - (0 if trouble is None else self._clock() - trouble.began)

    def describe(self) -> dict[str, dict[str, object]]:
        """Give error, beginning and whether rows wait, by place; Kafka as a whole is called `kafka`."""
        found: dict[str, Trouble] = {str(place): trouble for place, trouble in self._places.items()}
        if self._kafka is not None:
            found["kafka"] = self._kafka
        return {
            name: {"error": each.error, "since": each.since.isoformat(timespec="seconds"), "rows_wait": each.is_lasting}
            for name, each in sorted(found.items())
        }

    def _begin(self, error: BaseException) -> Trouble:
        return Trouble(
            error=kafka_errors.name(error),
            blame=kafka_errors.classify(error),
            since=datetime.now(UTC),
            began=self._clock(),
        )
