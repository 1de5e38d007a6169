"""What operators asked for reaches a running process by the table `controls`, which it reads every few seconds."""

import asyncio
import logging
from collections.abc import Callable, Sequence

from db.controls import Control, Pauses, fetch_controls
from db.database import Database
from db.describing import describe
from db.errors import Failure, classify
from db.telling import Spell
from db.waiting import jittered_seconds, wait_for

logger = logging.getLogger("squad.process")

Follower = Callable[[Sequence[Control]], None]
"""What is told all that is asked for, each time the table was read."""


class Controls:
    """What is asked for, as it was read last. While the table cannot be read, that goes on holding.

    Args:
        database: where the table is.
        interval_seconds: between two readings.
        deploy_seconds: how long a half-done deploy is waited for, when they are read for the first time.
    """

    def __init__(self, *, database: Database, interval_seconds: float, deploy_seconds: float = 60) -> None:
        self._database = database
        self._interval_seconds = interval_seconds
        self._deploy_seconds = deploy_seconds
        self._stopping = asyncio.Event()
        self._is_stale = False
        self._followers: list[Follower] = []
        self._asked: Sequence[Control] = ()

    @property
    def pauses(self) -> Pauses:
        """What is paused."""
        return Pauses.among(self._asked)

    def follow(self, follower: Follower) -> None:
        """Tell somebody what is asked for, now and after every reading."""
        self._followers.append(follower)
        follower(self._asked)

    async def run(self) -> None:
        """Read until `stop`; what cannot be read now is read later.

        Raises:
            SQLAlchemyError: the database says something that waiting does not cure.
        """
        while not await wait_for(self._stopping, self._interval_seconds):
            try:
                await self.read_once()
            except Exception as error:
                if classify(error) is Failure.UNEXPECTED:
                    raise
                if not self._is_stale:
                    logger.warning("controls cannot be read, the last ones hold: %s", describe(error))
                self._is_stale = True

    async def read_first(self) -> None:
        """Read for the first time, for as long as it takes: before that nobody knows what is paused.

        Raises:
            HalfDeployedError: the table, or a right to it, did not come in time.
            SQLAlchemyError: the database says something that waiting does not cure.
        """
        spell = Spell(logger, "nothing is begun before the controls can be read", deploy_seconds=self._deploy_seconds)
        for seconds in jittered_seconds(most_seconds=self._interval_seconds):
            try:
                await self.read_once()
            except Exception as error:  # noqa: BLE001 - `bear` raises what is not waited out
                spell.bear(error)
                await asyncio.sleep(seconds)
            else:
                spell.end()
                return

    def stop(self) -> None:
        """Let `run` end; may be called again."""
        self._stopping.set()

    async def read_once(self) -> None:
        """Read what is asked for, and tell the followers."""
        async with self._database.transaction() as session:
            found = await fetch_controls(session)
        if self._is_stale:
            logger.warning("controls can be read again")
        self._is_stale = False
        before, self._asked = self.pauses.whys, found
        after = self.pauses.whys
        for target in sorted(after.keys() - before.keys()):
            logger.warning("%s", after[target])
        for target in sorted(before.keys() - after.keys()):
            logger.warning("%s is no longer paused", target)
        for follower in self._followers:
            follower(found)
