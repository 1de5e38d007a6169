"""Notices that the client library stands still: it has many ways to die, and tells of few.

Its tasks end, or wait for ever, and `getmany` goes on giving nothing. So what is watched is what comes of asking.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

from consumers.adoption import Adoption
from consumers.assignment import Assignment
from consumers.polling import Polling


@dataclass(frozen=True, slots=True)
class Stall:
    """Something that does not get on.

    Args:
        why: in words.
        seconds: for how long; infinite where it never will.
    """

    why: str
    seconds: float

    def __str__(self) -> str:
        return self.why if self.seconds == float("inf") else f"{self.why} for {self.seconds:.0f} s"


class Watchdog:
    """Looks at one client and what reads from it.

    Args:
        consumer: the client that is the group's member.
        assignment: whether the group has dealt its partitions.
        polling: what comes of asking.
        adoption: whether the broker says where partitions begin and end.
        clock: gives seconds that never go back.
    """

    def __init__(
        self,
        *,
        consumer: Any,  # noqa: ANN401 - the client library is untyped
        assignment: Assignment,
        polling: Polling,
        adoption: Adoption,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._consumer = consumer
        self._assignment = assignment
        self._polling = polling
        self._adoption = adoption
        self._clock = clock
        self._joining_since: float | None = None
        self._silent_heart: asyncio.Task[None] | None = None

    def look_once(self, readers: Sequence[asyncio.Task[None]]) -> Stall | None:
        """Look; twice a second or so.

        Args:
            readers: our own tasks that read from the client; none of them ends by itself.

        Returns:
            What has not got on for longest, if for any time at all.
        """
        found = [*self._find_ended(readers), *self._find_waiting()]
        return max(found, key=lambda stall: stall.seconds, default=None)

    def _find_ended(self, readers: Sequence[asyncio.Task[None]]) -> Iterator[Stall]:
        """Find tasks that are over though they never should be; nothing comes of them any more."""
        if self._consumer._fetcher._fetch_task.done():
            yield Stall("the client's fetcher has ended", float("inf"))
        coordinator = self._consumer._coordinator
        if coordinator._coordination_task.done():
            yield Stall("the client's coordinator has ended", float("inf"))
        # While it joins the client lets one end and begins another; so one that has ended counts the second time.
        heart = coordinator._heartbeat_task
        ended = heart if heart is not None and heart.done() else None
        if ended is not None and ended is self._silent_heart:
            yield Stall("the client's heartbeat has ended", float("inf"))
        self._silent_heart = ended
        if any(reader.done() for reader in readers):
            # The client passes a cancellation of its own task on to whoever asks it, and that ends who asked.
            yield Stall("a reader was cancelled", float("inf"))

    def _find_waiting(self) -> Iterator[Stall]:
        now = self._clock()
        if self._assignment.is_dealt:
            self._joining_since = None
        else:
            self._joining_since = now if self._joining_since is None else self._joining_since
            yield Stall("the group has dealt no partitions", now - self._joining_since)
        for failing in self._polling.failing.values():
            yield Stall(f"asking for records fails ({failing.why})", now - failing.since)
        if self._adoption.failing is not None:
            yield Stall(f"asking for offsets fails ({self._adoption.failing.why})", now - self._adoption.failing.since)
        for lane, since in self._polling.asked_at.items():
            yield Stall(f"lane {lane} gets no answer from the client", now - since)
        silence = self._polling.silence.longest()
        if silence is not None:
            partition, seconds = silence
            yield Stall(f"nothing is heard of {partition}", seconds)
