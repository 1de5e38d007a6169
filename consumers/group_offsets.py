"""The group's offsets in Kafka: a courtesy to other people's tools; what counts are the checkpoints."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from consumers import checkpoints
from consumers.records import Partition
from db.database import Database
from db.errors import Failure, classify

logger = logging.getLogger("squad.source")


class GroupOffsets:
    """Copies checkpoints to Kafka.

    Args:
        consumer: the client that is the group's member.
        database: where the checkpoints are.
        group: whose.
        positions: the partitions that are ours, and how far they were read; looked at, never changed.
        interval_seconds: between two copies.
        deadline_seconds: how long one may take: the client's commit has no limit of its own.
    """

    def __init__(
        self,
        *,
        consumer: Any,  # noqa: ANN401 - the client library is untyped
        database: Database,
        group: str,
        positions: Mapping[Partition, int],
        interval_seconds: float,
        deadline_seconds: float,
    ) -> None:
        self._consumer = consumer
        self._database = database
        self._group = group
        self._positions = positions
        self._interval_seconds = interval_seconds
        self._deadline_seconds = deadline_seconds
        self._committed: dict[Partition, int] = {}

    async def run(self) -> None:
        """Copy every so often, until cancelled."""
        while True:
            await asyncio.sleep(self._interval_seconds)
            await self.commit_once()

    async def commit_once(self) -> None:
        """Copy what is news; a failure is nothing to stop for."""
        try:
            async with asyncio.timeout(self._deadline_seconds):
                await self._commit()
        except Exception as error:
            if not isinstance(error, KafkaError | TimeoutError) and classify(error) is Failure.UNEXPECTED:
                raise
            logger.debug("the group's offsets were not committed: %s", error)

    async def _commit(self) -> None:
        if all(self._committed.get(partition) == offset for partition, offset in self._positions.items()):
            return
        async with self._database.transaction() as session:
            stored = await checkpoints.load(session, self._group, list(self._positions))
        news = {
            partition: checkpoint.next_offset
            for partition, checkpoint in stored.items()
            if partition in self._positions and self._committed.get(partition) != checkpoint.next_offset
        }
        if news:
            await self._consumer.commit({TopicPartition(*partition): offset for partition, offset in news.items()})
            self._committed.update(news)
