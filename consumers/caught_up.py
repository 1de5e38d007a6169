"""Notes in the checkpoints that a partition was seen read to its end: a silent partition holds no pruning back."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from consumers import checkpoints
from consumers.records import EPOCH, Partition
from db.database import Database
from db.errors import Failure, classify
from db.waiting import wait_for

logger = logging.getLogger("squad.pruning")


class Drained(NamedTuple):
    """A partition whose next record had not come yet.

    Args:
        next_offset: everything before it was read.
        seen_milliseconds: when the broker's answer arrived, since 1970, UTC.
    """

    next_offset: int
    seen_milliseconds: int

    def caught_up_at(self, answer_seconds: float) -> datetime:
        """Say when the next record had certainly not come yet, for an answer that was under way for so long at most."""
        return EPOCH + timedelta(milliseconds=self.seen_milliseconds) - timedelta(seconds=answer_seconds)


class CaughtUp:
    """Writes down, every so often, which partitions are drained and applied.

    Args:
        database: where the checkpoints are.
        group: whose.
        drained: gives what the source saw last of each drained partition.
        answer_seconds: how long a broker's answer may be under way; the client gives up a request that takes longer.
        interval_seconds: between two notes.
    """

    def __init__(
        self,
        *,
        database: Database,
        group: str,
        drained: Callable[[], Mapping[Partition, Drained]],
        answer_seconds: float,
        interval_seconds: float = 10,
    ) -> None:
        self._database = database
        self._group = group
        self._drained = drained
        self._answer_seconds = answer_seconds
        self._interval_seconds = interval_seconds
        self._stopped = asyncio.Event()
        self._noted: dict[Partition, Drained] = {}

    async def run(self) -> None:
        """Note until `stop`; what cannot be written now is written later.

        Raises:
            SQLAlchemyError: the database says something that waiting does not cure.
        """
        while not await wait_for(self._stopped, self._interval_seconds):
            try:
                await self.note_once()
            except Exception as error:
                if classify(error) is Failure.UNEXPECTED:
                    raise
                logger.debug("drained partitions were not noted: %s", error)

    def stop(self) -> None:
        """Let `run` end; may be called again."""
        self._stopped.set()

    async def note_once(self) -> int:
        """Note what is news.

        Returns:
            How many partitions were noted; those with a batch under way, or applied elsewhere meanwhile, are not.
        """
        news = {each: seen for each, seen in self._drained().items() if self._noted.get(each) != seen}
        if not news:
            return 0
        drained = {each: (seen.next_offset, seen.caught_up_at(self._answer_seconds)) for each, seen in news.items()}
        async with self._database.transaction() as session:
            noted = await checkpoints.note_caught_up(session, self._group, drained)
        self._noted.update(news)
        return noted
