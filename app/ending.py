"""How a process ends: told once, it finishes what is under way, within a deadline; told twice, it ends at once.

Signals are heard by the interpreter, not by the event loop, which may be busy or not be there yet, and not by the
kernel's default, which does nothing for the first process of a container.
"""

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

from db.stacks import describe_stacks

EXIT_CUT: Final = 4
"""What was under way at the deadline was cut."""

CUT_SECONDS: Final = 1.0
"""How long what is cut has to close its connections and give its lease back."""

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)

logger = logging.getLogger("squad.process")


class CutShortError(Exception):
    """Not everything was finished by the deadline; nothing is lost, the rest is done by whoever comes next."""


class Ending:
    """Hears that the process is to end, and sees that it does.

    Args:
        seconds: from the first signal to the deadline.
    """

    def __init__(self, *, seconds: float = 40) -> None:
        self.seconds = seconds
        self.asked = asyncio.Event()
        """Set once the process was told to end."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._was_told = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Hear SIGTERM and SIGINT in the block, which is the whole life of a process; in its main thread only."""
        before = [signal.signal(number, self._hear) for number in _SIGNALS]
        try:
            yield
        finally:
            for number, handler in zip(_SIGNALS, before, strict=True):
                signal.signal(number, handler)

    async def bound(self, life: Coroutine[Any, Any, None]) -> None:
        """Live until the end, or until the deadline after the first signal.

        Args:
            life: ends soon after `asked` is set.

        Raises:
            CutShortError: it had to be cut.
            Exception: what it raises.
        """
        self._loop = asyncio.get_running_loop()
        living = asyncio.create_task(life)
        asking = asyncio.create_task(self.asked.wait())
        try:
            await asyncio.wait({living, asking}, return_when=asyncio.FIRST_COMPLETED)
            if not living.done():
                logger.info("told to end; what is under way has %g s", self.seconds)
                await asyncio.wait({living}, timeout=self.seconds)
            if not living.done():
                logger.error("not finished within %g s, cut; at work were\n%s", self.seconds, describe_stacks())
                living.cancel()
                await asyncio.wait({living}, timeout=CUT_SECONDS)
                if not living.done():
                    os._exit(EXIT_CUT)
                raise CutShortError(f"what was under way after {self.seconds:g} s was cut")
            await living
        finally:
            asking.cancel()
            living.cancel()

    def _hear(self, number: int, _: FrameType | None) -> None:
        if self._was_told or self._loop is None:
            # Before the loop runs nothing is under way.
            os._exit(128 + number if self._was_told else 0)
        self._was_told = True
        # The loop may hang, and so may what it does at its own end.
        limit = threading.Timer(self.seconds + CUT_SECONDS + 1, os._exit, [EXIT_CUT])
        limit.daemon = True
        limit.start()
        self._loop.call_soon_threadsafe(self.asked.set)
