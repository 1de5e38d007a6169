"""What is done about records that were not acknowledged: tried again, but not for ever where their place takes nothing.

Each failure is remembered; then it is waited, for as long as Kafka as a whole cannot be had, and for a single topic or
partition until its trouble is lasting.
"""

import asyncio
import logging
from collections.abc import Iterator

from db.stacks import describe_stacks
from db.waiting import jittered_seconds
from outbox import kafka_errors
from outbox.kafka_errors import Blame
from outbox.shares import Share
from outbox.tally import Tally
from outbox.troubles import Place, Troubles

logger = logging.getLogger("squad.relay")


class Patience:
    """Waits after failures, and says when to wait no longer.

    Args:
        troubles: what topics and partitions, and Kafka as a whole, have now; kept as an attribute.
        first_seconds, most_seconds: the waits before something unknown is tried again, full jitter.
        tally: is told when Kafka cannot be had.
    """

    def __init__(self, *, troubles: Troubles, first_seconds: float, most_seconds: float, tally: Tally) -> None:
        self.troubles = troubles
        self._first_seconds = first_seconds
        self._most_seconds = most_seconds
        self._tally = tally

    def waits(self) -> Iterator[float]:
        """Give the waits of something new that is tried, for ever."""
        return jittered_seconds(first_seconds=self._first_seconds, most_seconds=self._most_seconds)

    def note(self, place: Place, error: BaseException) -> bool:
        """Remember a failure, and give whether it lasts; what may be a single record's fault is not the place's.

        Called before the producer is given up, while the stacks say what it waits for.
        """
        if kafka_errors.classify(error) is Blame.RECORD:
            return False
        lasts = self.troubles.note(place, error)
        if isinstance(error, TimeoutError) and self.troubles.note_timeout(place):
            logger.warning("kafka producer does not answer place=%s; the tasks are\n%s", place, describe_stacks())
        return lasts

    async def give_in(self, place: Place, error: BaseException, seconds: float, *, once: bool) -> bool:
        """Wait after a failure; give whether the rows of a place must wait instead.

        Args:
            place: which failed.
            error: how.
            seconds: to wait.
            once: whether its rows waited already, and are given back at once.
        """
        if self.troubles.note(place, error) or once:
            return True
        if kafka_errors.classify(error) is Blame.PLACE:
            await asyncio.sleep(min(seconds, max(0.0, self.troubles.patience_left(place))))
        else:
            await self.wait_for_kafka(error, seconds)
        return False

    async def wait_for_kafka(self, error: BaseException, seconds: float) -> None:
        """Wait after a failure that is no place's."""
        self._tally.unavailable += self.troubles.note_unavailable(error)
        await asyncio.sleep(seconds)

    def note_available(self) -> None:
        """Remember that Kafka can be had."""
        self._tally.unavailable -= self.troubles.note_available()

    def forget_unavailable(self) -> None:
        """Wait for Kafka no longer, whether it can be had or not."""
        self._tally.unavailable -= self.troubles.forget_unavailable() is not None

    def set_aside(self, share: Share) -> None:
        """Let all of a share that is not published yet wait for its place from now on."""
        share.set_aside(self.troubles.describe_place(share.place))
