"""Records into Kafka, acknowledged, in order for each key: batches while all is well, row by row after a failure.

One batch is outstanding per partition: of two un-awaited ones the first can be refused and the second accepted. The
main producer is idempotent, so that its own retries do not repeat. A failed batch burns its sequence numbers, and what
follows on the same producer would fail too; so that producer is given up, and the rows go one by one through a second
producer that is not idempotent.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    BrokerResponseError,
    InvalidTimestampError,
    KafkaError,
    MessageSizeTooLargeError,
    kafka_errors,
)
from aiokafka.producer.message_accumulator import BatchBuilder

from db.waiting import jittered_seconds
from messages.keys import partition_of
from outbox.errors import RefusedRowError
from outbox.wire import Record

logger = logging.getLogger("squad.relay")

_Place = tuple[str, int]
"""A topic and one of its partitions."""

_BATCH_OVERHEAD_BYTES: Final = 61
"""The header of a record batch, format 2 (Kafka documentation, 5.3.1)."""


_CLOSE_TIMEOUT_SECONDS: Final = 5.0
"""How long connections may take to close; a broker that hangs may never let them."""


class InvalidRecordError(BrokerResponseError):  # type: ignore[misc] # aiokafka has no types
    """The broker will not have this record, such as one without a key on a compacted topic."""

    errno = 87
    message = "INVALID_RECORD"
    description = "The record has failed the validation on the broker and hence will be rejected."


_REFUSALS: Final = (MessageSizeTooLargeError, InvalidRecordError, InvalidTimestampError)
_UNKNOWN: Final = (KafkaError, OSError, TimeoutError)


class KafkaPublisher:
    """Publishes records to Kafka with acks=all; a page at a time, by one caller at a time.

    Args:
        client: arguments for the Kafka client, such as `bootstrap_servers` and security.
        batch_bytes: the largest batch, and so the largest record with its headers, before compression; at most the
            topics' `max.message.bytes`.
        request_timeout_seconds: how long a broker may take to answer a request.
        batch_timeout_seconds: how long a batch may take with the client's own retries; then it counts as unknown.
        records_per_producer: after so many records the main producer is renewed: beyond 2^31 for one partition aiokafka
            sends negative sequence numbers.
        compression: "gzip", "snappy", "lz4", "zstd" or None.
        backoff_first_seconds, backoff_most_seconds: the waits before something unknown is tried again, full jitter.
    """

    def __init__(
        self,
        *,
        client: Mapping[str, Any],
        batch_bytes: int = 1_048_576,
        request_timeout_seconds: float = 10,
        batch_timeout_seconds: float = 30,
        records_per_producer: int = 1_000_000_000,
        compression: str | None = None,
        backoff_first_seconds: float = 0.1,
        backoff_most_seconds: float = 30,
    ) -> None:
        # aiokafka 0.14 does not know this error, and an unknown one is tried again for ever.
        kafka_errors.setdefault(InvalidRecordError.errno, InvalidRecordError)
        self._batch_bytes = batch_bytes
        self._batch_timeout_seconds = batch_timeout_seconds
        self._records_per_producer = records_per_producer
        self._backoff = {"first_seconds": backoff_first_seconds, "most_seconds": backoff_most_seconds}
        self._settings = {
            **client,
            "max_batch_size": batch_bytes,
            "request_timeout_ms": round(request_timeout_seconds * 1000),
            "compression_type": compression,
            "acks": "all",
        }
        self._main: AIOKafkaProducer | None = None
        self._single: AIOKafkaProducer | None = None
        self._sent = 0
        self._is_troubled = False

    async def publish(self, records: Sequence[Record]) -> None:
        """Publish records, and return when every one is acknowledged; what is unknown is tried again for ever.

        Args:
            records: in the order in which each key's are to appear.

        Raises:
            RefusedRowError: Kafka will never take one of them. None of its partition went out after it; the other
                partitions' have.
        """
        if self._sent >= self._records_per_producer:
            await self._give_up_main()
        producer, routed = await self._route(records)
        remaining = await self._publish_batches(producer, routed)
        if remaining:
            await self._give_up_main()
            await self._publish_one_by_one(remaining)
        if self._is_troubled:
            self._is_troubled = False
            logger.info("kafka available again")

    async def close(self) -> None:
        """Close the connections; may be called again, and publishing may go on afterwards."""
        await self._give_up_main()
        await self._give_up_single()

    async def _route(self, records: Sequence[Record]) -> tuple[AIOKafkaProducer, dict[_Place, list[Record]]]:
        """Give the main producer, and the records by partition; waits for Kafka and for the topics to exist."""
        producer, counts = await self._count_partitions({record.topic for record in records})
        routed = defaultdict(list)
        for record in records:
            routed[record.topic, partition_of(record.key, counts[record.topic])].append(record)
        return producer, routed

    async def _count_partitions(self, topics: set[str]) -> tuple[AIOKafkaProducer, dict[str, int]]:
        for seconds in jittered_seconds(**self._backoff):
            try:
                if self._main is None:
                    self._main, self._sent = await self._start(enable_idempotence=True), 0
                async with asyncio.timeout(self._batch_timeout_seconds):
                    return self._main, {topic: len(await self._main.partitions_for(topic)) for topic in topics}
            except _UNKNOWN as error:
                await self._give_up_main()
                await self._wait(seconds, error)
        raise AssertionError("unreachable: the waits have no end")

    async def _publish_batches(
        self, producer: AIOKafkaProducer, routed: dict[_Place, list[Record]]
    ) -> dict[_Place, list[Record]]:
        """Publish each partition's records beside the others'; give what was not acknowledged, by partition."""
        remaining: dict[_Place, list[Record]] = {}

        async def publish_place(place: _Place, records: list[Record]) -> None:
            done = await self._publish_place(producer, place, records)
            if done < len(records):
                remaining[place] = records[done:]

        async with asyncio.TaskGroup() as group:
            for place, records in routed.items():
                group.create_task(publish_place(place, records))
        return remaining

    async def _publish_place(self, producer: AIOKafkaProducer, place: _Place, records: list[Record]) -> int:
        """Publish one partition's records, batch after batch; give how many were acknowledged."""
        done = 0
        while done < len(records):
            batch, end = self._fill(producer, records, done)
            if end == done:
                break
            try:
                await self._send(producer, batch, place)
            except _UNKNOWN as error:
                logger.warning("batch failed topic=%s partition=%d rows=%d error=%r", *place, end - done, error)
                break
            self._sent += end - done
            done = end
        return done

    def _fill(self, producer: AIOKafkaProducer, records: list[Record], start: int) -> tuple[BatchBuilder, int]:
        """Build a batch; give it and the index after its last record, `start` if that one alone is too large.

        The records' timestamp is the time of publication, by which the broker expires them.
        """
        batch = producer.create_batch()
        append, now = batch.append, round(time.time() * 1000)
        for end in range(start, len(records)):
            record = records[end]
            added = append(timestamp=now, key=record.key, value=record.value, headers=record.headers())
            if added is None:
                return batch, end
            # Whatever its size, a batch takes the first.
            if end == start and added.size + _BATCH_OVERHEAD_BYTES > self._batch_bytes:
                return batch, start
        return batch, len(records)

    async def _send(self, producer: AIOKafkaProducer, batch: BatchBuilder, place: _Place) -> None:
        topic, partition = place
        async with asyncio.timeout(self._batch_timeout_seconds):
            await (await producer.send_batch(batch, topic, partition=partition))

    async def _publish_one_by_one(self, remaining: dict[_Place, list[Record]]) -> None:
        refused: list[RefusedRowError] = []

        async def publish_place(place: _Place, records: list[Record]) -> None:
            try:
                for record in records:
                    await self._publish_one(place, record)
            except RefusedRowError as error:
                refused.append(error)

        async with asyncio.TaskGroup() as group:
            for place, records in remaining.items():
                group.create_task(publish_place(place, records))
        if refused:
            raise min(refused, key=lambda error: error.position)

    async def _publish_one(self, place: _Place, record: Record) -> None:
        """Publish one record, for as long as it takes."""
        for seconds in jittered_seconds(**self._backoff):
            try:
                if self._single is None:
                    self._single = await self._start(enable_idempotence=False)
                batch, end = self._fill(self._single, [record], 0)
                if end == 0:
                    raise self._refusal(record, f"larger than {self._batch_bytes} bytes with its headers")
                return await self._send(self._single, batch, place)
            except _REFUSALS as error:
                raise self._refusal(record, repr(error)) from error
            except _UNKNOWN as error:
                await self._give_up_single()
                await self._wait(seconds, error)
        raise AssertionError("unreachable: the waits have no end")

    @staticmethod
    def _refusal(record: Record, reason: str) -> RefusedRowError:
        return RefusedRowError(position=record.position, topic=record.topic, key=record.key, reason=reason)

    async def _wait(self, seconds: float, error: BaseException) -> None:
        level = logging.DEBUG if self._is_troubled else logging.WARNING
        self._is_troubled = True
        logger.log(level, "kafka unavailable retry_seconds=%.1f error=%r", seconds, error)
        await asyncio.sleep(seconds)

    async def _start(self, *, enable_idempotence: bool) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(**self._settings, enable_idempotence=enable_idempotence)
        try:
            async with asyncio.timeout(self._batch_timeout_seconds):
                await producer.start()
        except BaseException:
            await _give_up(producer)
            raise
        return producer

    async def _give_up_main(self) -> None:
        producer, self._main = self._main, None
        if producer is not None:
            await _give_up(producer)

    async def _give_up_single(self) -> None:
        producer, self._single = self._single, None
        if producer is not None:
            await _give_up(producer)


async def _give_up(producer: AIOKafkaProducer) -> None:
    """Close a producer so that it sends nothing any more.

    Its own `stop` first flushes, which for an idempotent one can take for ever; the records would arrive late, behind
    newer ones. So its sender is cancelled by hand, again and again because it awaits its requests one by one.
    """
    producer._closed = True
    sender = producer._sender.sender_task
    if sender is not None:
        sender.cancel()
    with suppress(TimeoutError):
        async with asyncio.timeout(_CLOSE_TIMEOUT_SECONDS):
            await producer.client.close()
    while sender is not None and not sender.done():
        sender.cancel()
        await asyncio.wait([sender], timeout=0.1)
