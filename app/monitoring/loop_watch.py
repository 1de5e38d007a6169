"""How late the event loop wakes; and, while it does not wake at all, where it stands.

Whoever blocks the loop is gone when the loop is back. So a thread looks from outside, and tells it while it lasts.
"""

import asyncio
import logging
import sys
import threading
from collections.abc import Iterator
from time import monotonic
from types import FrameType
from typing import Final

from app.monitoring.readings import Reading
from db.distribution import SECONDS, Distribution
from db.stacks import describe_stacks
from db.waiting import wait_for

logger = logging.getLogger("squad.process")

_INNERMOST_FRAMES: Final = 12


class LoopWatch:
    """Watches the event loop that runs it; a part, and a thread beside it.

    Args:
        limit_seconds: how late it may wake before the log tells, once for each time.
        interval_seconds: between two times that it is to wake.
    """

    def __init__(self, *, limit_seconds: float = 1, interval_seconds: float = 0.25) -> None:
        self._limit_seconds = limit_seconds
        self._interval_seconds = interval_seconds
        self._stopping = asyncio.Event()
        self._ended = threading.Event()
        self._due_at = monotonic() + interval_seconds
        self._told_at: float | None = None
        self.lag = Distribution(SECONDS)
        """How late it woke, in seconds."""
        self.blocked = 0
        """How often it was later than the limit."""

    @property
    def silent_seconds(self) -> float:
        """For how long the loop has been due to wake; any thread may ask."""
        return max(0.0, monotonic() - self._due_at)

    async def run(self) -> None:
        """Watch until `stop`."""
        self._due_at = monotonic() + self._interval_seconds
        outside = threading.Thread(
            target=self._look_on,
            args=(asyncio.get_running_loop(), threading.get_ident()),
            name="loop watch",
            daemon=True,
        )
        outside.start()
        try:
            while not self._stopping.is_set():
                await self.wake_once()
        finally:
            self._ended.set()

    def stop(self) -> None:
        """Let `run` end; may be called again."""
        self._stopping.set()

    async def wake_once(self) -> None:
        """Be due once, and note how late that is."""
        self._due_at = monotonic() + self._interval_seconds
        if not await wait_for(self._stopping, self._interval_seconds):
            late = self.silent_seconds
            self.lag.note(late)
            if late > self._limit_seconds:
                self.blocked += 1
                logger.warning("event loop goes on after %.1f s", late)

    def read(self) -> Iterator[Reading]:
        """Give the readings; any thread may ask."""
        yield Reading("squad_event_loop_silent_seconds", self.silent_seconds)
        yield Reading("squad_event_loop_lag_seconds", self.lag)
        yield Reading("squad_event_loop_blocked_total", self.blocked)

    def _look_on(self, loop: asyncio.AbstractEventLoop, thread: int) -> None:
        while not self._ended.wait(self._limit_seconds / 4):
            due_at = self._due_at
            if self.silent_seconds > self._limit_seconds and due_at != self._told_at:
                self._told_at = due_at
                here = _describe_frame(sys._current_frames().get(thread))
                logger.warning(
                    "event loop blocked for %.1f s; it stands at\n%s\nand its tasks at\n%s",
                    *(self.silent_seconds, here, describe_stacks(loop)),
                )


def _describe_frame(frame: FrameType | None) -> str:
    """Say where a thread is, outermost call first; places only, for values may be personal."""
    places: list[str] = []
    while frame is not None and len(places) < _INNERMOST_FRAMES:
        code = frame.f_code
        places.append(f"  {'/'.join(code.co_filename.split('/')[-3:])}:{frame.f_lineno} {code.co_qualname}")
        frame = frame.f_back
    return "\n".join(reversed(places)) or "  nowhere"
