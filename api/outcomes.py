"""Waiting for outcomes: one look at the inbox for everybody who waits, however many they are."""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from typing import Final

from consumers import inbox
from consumers.inbox import Identity, Known
from db.database import Database
from db.errors import Failure, classify
from db.waiting import jittered_seconds, wait_for

MAX_IDENTITIES: Final = 500
"""Asked for in one statement."""

MOST_BACKOFF_SECONDS: Final = 1.0
"""The longest wait after a look that failed: requests wait meanwhile."""

logger = logging.getLogger("squad.api")


class Outcomes:
    """Knows what became of commands.

    Polling, not NOTIFY: while somebody waits there are at most so many looks a second, however much is decided; while
    nobody does, there is none.

    Args:
        database: where the inbox is; never a replica, which lags behind.
        poll_seconds: between two looks, while somebody waits.
    """

    def __init__(self, *, database: Database, poll_seconds: float) -> None:
        self._database = database
        self._poll_seconds = poll_seconds
        self._waiting: dict[Identity, set[asyncio.Future[Known]]] = {}
        self._wanted = asyncio.Event()
        self._stopped = asyncio.Event()
        self.failing = False
        """Whether the last look failed."""
        self.looks = 0
        """Statements sent for those who wait."""

    @property
    def waiting(self) -> int:
        """How many commands are waited for."""
        return len(self._waiting)

    async def run(self) -> None:
        """Look until stopped, as long as somebody waits; what fails is tried again."""
        waits = jittered_seconds(most_seconds=MOST_BACKOFF_SECONDS)
        while not self._stopped.is_set():
            await self._wanted.wait()
            try:
                await self.look_once()
                waits, pause = jittered_seconds(most_seconds=MOST_BACKOFF_SECONDS), self._poll_seconds
            except Exception as error:
                if classify(error) is Failure.UNEXPECTED:
                    raise
                logger.warning("outcomes cannot be looked for error=%r", error)
                self.failing, pause = True, next(waits)
            await wait_for(self._stopped, pause)

    def stop(self) -> None:
        """Let `run` end, and whoever waits go on without an outcome."""
        self._stopped.set()
        self._wanted.set()
        for waiters in self._waiting.values():
            for waiter in waiters:
                waiter.cancel()

    async def look_once(self) -> None:
        """Look once for everything that is waited for, and give it to whom it concerns."""
        for identities in _in_batches(list(self._waiting)):
            self.looks += 1
            found, _ = await self.find(identities)
            for identity, known in found.items():
                for waiter in self._waiting.get(identity, ()):
                    if not waiter.done():
                        waiter.set_result(known)
        self.failing = False
        if not self._waiting and not self._stopped.is_set():
            self._wanted.clear()

    async def wait(self, identity: Identity, seconds: float) -> Known | None:
        """Wait for a command's outcome.

        Args:
            identity: of the command.
            seconds: how long at most.

        Returns:
            What the inbox knows of it; `None`: nothing in that time, or no time is left.
        """
        if self._stopped.is_set():
            return None
        waiter: asyncio.Future[Known] = asyncio.get_running_loop().create_future()
        waiters = self._waiting.setdefault(identity, set())
        waiters.add(waiter)
        self._wanted.set()
        try:
            # Not awaited itself: cancelled by `stop`, it would look as if the request were.
            await asyncio.wait([waiter], timeout=seconds)
            return waiter.result() if waiter.done() and not waiter.cancelled() else None
        finally:
            waiters.discard(waiter)
            if not waiters and self._waiting.get(identity) is waiters:
                del self._waiting[identity]

    async def find(self, identities: Sequence[Identity]) -> tuple[dict[Identity, Known], int]:
        """Give those of the commands that were decided, and the inbox's floor, in microseconds since 1970.

        Raises:
            db.errors.UnreachableError: there is no connection.
        """
        async with self._database.transaction() as session:
            found = await inbox.find(session, identities)
        return found.known, found.floor_microseconds


def _in_batches(identities: list[Identity]) -> Iterator[list[Identity]]:
    for begin in range(0, len(identities), MAX_IDENTITIES):
        yield identities[begin : begin + MAX_IDENTITIES]
