"""The two producers of a publisher, and single batches through them: built, sent, acknowledged within a deadline."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder

from outbox import producers
from outbox.kafka_errors import UNKNOWN, Blame, classify
from outbox.producers import GoOn
from outbox.tally import Tally
from outbox.troubles import Place
from outbox.wire import Record

_BATCH_OVERHEAD_BYTES: Final = 61
"""The header of a record batch, format 2 (Kafka documentation, 5.3.1)."""


class Sending:
    """A main producer, idempotent, for batches while all is well, and a second one, which is not, for single records.

    Args:
        settings: the client library's own.
        batch_bytes: the largest batch.
        timeout_seconds: how long connecting may take, and a batch with the client's own retries.
        go_on: as `outbox.producers.start` has it.
        tally: is told of producers, and of what is unknown.
    """

    def __init__(
        self, *, settings: Mapping[str, Any], batch_bytes: int, timeout_seconds: float, go_on: GoOn, tally: Tally
    ) -> None:
        self._settings = {**settings, "max_batch_size": batch_bytes, "acks": "all"}
        self._batch_bytes = batch_bytes
        self._timeout_seconds = timeout_seconds
        self._go_on = go_on
        self._tally = tally
        self._opening = asyncio.Lock()
        self.main: AIOKafkaProducer | None = None
        self.single: AIOKafkaProducer | None = None
        self.sent = 0
        """Records through the main producer since it was opened."""

    async def open_main(self) -> AIOKafkaProducer:
        """Give the main producer; opens it where there is none."""
        if self.main is None:
            self.main, self.sent = await self._start(enable_idempotence=True), 0
        return self.main

    async def open_single(self) -> AIOKafkaProducer:
        """Give the second producer; opens it where there is none."""
        # Several partitions ask at once; a producer too many would never be closed.
        async with self._opening:
            if self.single is None:
                self.single = await self._start(enable_idempotence=False)
            return self.single

    async def give_up_main(self) -> None:
        """Close the main producer so that it sends nothing any more."""
        producer, self.main = self.main, None
        if producer is not None:
            await producers.give_up(producer)

    async def give_up_single(self) -> None:
        """Close the second producer so that it sends nothing any more."""
        producer, self.single = self.single, None
        if producer is not None:
            await producers.give_up(producer)

    async def count_partitions(self, topic: str) -> int:
        """Give how many partitions a topic has, as the main producer knows or the brokers tell.

        Raises:
            As `outbox.producers.start` and `outbox.producers.count_partitions`; TimeoutError: it took too long.
        """
        producer = await self.open_main()
        async with asyncio.timeout(self._timeout_seconds):
            return await producers.count_partitions(producer, topic)

    async def check_leader(self, producer: AIOKafkaProducer, place: Place) -> None:
        """See that a partition has a leader, before anything is sent to it.

        Raises:
            As `outbox.producers.check_leader`; TimeoutError: it took too long.
        """
        async with asyncio.timeout(self._timeout_seconds):
            await producers.check_leader(producer, place)

    @property
    def too_large(self) -> str:
        """Why a record is refused that no batch takes."""
        return f"larger than {self._batch_bytes} bytes with its headers"

    def fill(self, producer: AIOKafkaProducer, records: Sequence[Record]) -> tuple[BatchBuilder, int]:
        """Build a batch; give it and how many it took, none if the first alone is too large.

        The records' timestamp is the time of publication, by which the broker expires them.
        """
        batch = producer.create_batch()
        append, now = batch.append, round(time.time() * 1000)
        for count, record in enumerate(records):
            added = append(timestamp=now, key=record.key, value=record.value, headers=record.headers())
            if added is None:
                return batch, count
            # Whatever its size, a batch takes the first.
            if not count and added.size + _BATCH_OVERHEAD_BYTES > self._batch_bytes:
                return batch, 0
        return batch, len(records)

    async def send(
        self, producer: AIOKafkaProducer, batch: BatchBuilder, place: Place, *, timeout_seconds: float | None = None
    ) -> None:
        """Send a batch and await that it is acknowledged.

        Args:
            producer, batch: from here.
            place: a partition.
            timeout_seconds: less than the usual deadline.

        Raises:
            aiokafka.errors.KafkaError, OSError, TimeoutError: it may have arrived or not (`outbox.kafka_errors`).
        """
        try:
            async with asyncio.timeout(timeout_seconds or self._timeout_seconds):
                await (await producer.send_batch(batch, place.topic, partition=place.partition))
        except UNKNOWN as error:
            self._tally.unknown += classify(error) is not Blame.RECORD
            raise

    async def _start(self, *, enable_idempotence: bool) -> AIOKafkaProducer:
        settings = {**self._settings, "enable_idempotence": enable_idempotence}
        producer = await producers.start(settings, timeout_seconds=self._timeout_seconds, go_on=self._go_on)
        self._tally.producers += 1
        return producer
