"""Whether the database answers, asked every so often, for a process that writes no heartbeat."""

import asyncio
import logging
from time import monotonic

from sqlalchemy import text

from db.database import Database
from db.describing import describe
from db.waiting import done_before, wait_for

logger = logging.getLogger("squad.process")

_ASK = text("SELECT 1")


class Pulse:
    """Asks the database, and notes when it answered.

    Args:
        database: best one of its own, so that nobody is waited for but the database.
        interval_seconds: between two times.
    """

    def __init__(self, *, database: Database, interval_seconds: float) -> None:
        self._database = database
        self._interval_seconds = interval_seconds
        self._stopped = asyncio.Event()
        self.answered_at: float | None = None
        """When it answered last, by `time.monotonic`."""

    async def run(self) -> None:
        """Ask until `stop`."""
        while not self._stopped.is_set():
            await done_before(self._stopped, self.ask_once())
            await wait_for(self._stopped, self._interval_seconds)

    def stop(self) -> None:
        """Let `run` end; may be called again."""
        self._stopped.set()

    async def ask_once(self) -> None:
        """Ask now; that there is no answer is told by whoever looks for how long."""
        try:
            async with self._database.sessions() as session:
                await session.execute(_ASK)
            self.answered_at = monotonic()
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody is to end because of what is only shown
            logger.debug("the database does not answer: %s", describe(error))
