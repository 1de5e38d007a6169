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
from dataclasses import dataclass, field
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
from outbox import producers
from outbox.refused import Refused, behind
from outbox.tally import Tally
from outbox.wire import Record

logger = logging.getLogger("squad.relay")

_Place = tuple[str, int]
"""A topic and one of its partitions."""

_BATCH_OVERHEAD_BYTES: Final = 61
"""The header of a record batch, format 2 (Kafka documentation, 5.3.1)."""


class InvalidRecordError(BrokerResponseError):  # type: ignore[misc] # aiokafka has no types
    """The broker will not have this record, such as one without a key on a compacted topic."""

    errno = 87
    message = "INVALID_RECORD"
    description = "The record has failed the validation on the broker and hence will be rejected."


@dataclass(slots=True)
class _Share:
    """What of a page goes to one partition: what still waits, in order, and what was refused."""

    place: _Place
    waiting: list[Record] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)

    def refuse(self, reason: str) -> None:
        """Take the first out, and with it all others of its key; a record without a key has no order to keep."""
        culprit = self.waiting.pop(0)
        self.refused.append(Refused(record=culprit, reason=reason))
        if culprit.key is None:
            return
        self.refused += [behind(each, culprit.position) for each in self.waiting if each.key == culprit.key]
        self.waiting = [each for each in self.waiting if each.key != culprit.key]


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
        tally: is told what is unknown, and when Kafka cannot be had.
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
        tally: Tally | None = None,
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
        self._opening = asyncio.Lock()
        self._sent = 0
        self._is_troubled = False
        self._tally = tally or Tally()

    async def publish(self, records: Sequence[Record]) -> Sequence[Refused]:
        """Publish records, and return when every one is acknowledged or refused; what is unknown is tried for ever.

        Args:
            records: in the order in which each key's are to appear.

        Returns:
            By position, what Kafka will never take, and what was withheld because it comes after such a record of its
            topic and key. All others are published.
        """
        try:
            return await self._publish(records)
        except BaseException:
            # Whoever is interrupted may lead no more: what is still on its way must not arrive behind newer records.
            await self.close()
            self._end_trouble()
            raise

    async def close(self) -> None:
        """Close the connections; may be called again, and publishing may go on afterwards."""
        await self._give_up_main()
        await self._give_up_single()

    async def _publish(self, records: Sequence[Record]) -> Sequence[Refused]:
        if self._sent >= self._records_per_producer:
            await self._give_up_main()
        producer, shares = await self._route(records)
        await self._publish_batches(producer, shares)
        remaining = [share for share in shares if share.waiting]
        if remaining:
            await self._give_up_main()
            await self._publish_one_by_one(remaining)
        if self._end_trouble():
            logger.info("kafka available again")
        refused = [each for share in shares for each in share.refused]
        return sorted(refused, key=lambda each: each.position) if refused else ()

    async def _route(self, records: Sequence[Record]) -> tuple[AIOKafkaProducer, list[_Share]]:
        """Give the main producer, and the records by partition; waits for Kafka and for the topics to exist."""
        producer, counts = await self._count_partitions({record.topic for record in records})
        routed: defaultdict[_Place, list[Record]] = defaultdict(list)
        for record in records:
            routed[record.topic, partition_of(record.key, counts[record.topic])].append(record)
        return producer, [_Share(place, waiting) for place, waiting in routed.items()]

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

    async def _publish_batches(self, producer: AIOKafkaProducer, shares: Sequence[_Share]) -> None:
        """Publish each partition's records beside the others'; what was not acknowledged still waits afterwards."""
        async with asyncio.TaskGroup() as group:
            for share in shares:
                group.create_task(self._publish_share(producer, share))

    async def _publish_share(self, producer: AIOKafkaProducer, share: _Share) -> None:
        """Publish one partition's records, batch after batch, up to one that fails."""
        while share.waiting:
            batch, count = self._fill(producer, share.waiting)
            if not count:
                share.refuse(self._too_large)
                continue
            try:
                await self._send(producer, batch, share.place)
            except _UNKNOWN as error:
                self._tally.unknown += 1
                logger.warning("batch failed topic=%s partition=%d rows=%d error=%r", *share.place, count, error)
                return
            self._sent += count
            del share.waiting[:count]

    @property
    def _too_large(self) -> str:
        return f"larger than {self._batch_bytes} bytes with its headers"

    def _fill(self, producer: AIOKafkaProducer, records: Sequence[Record]) -> tuple[BatchBuilder, int]:
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

    async def _send(self, producer: AIOKafkaProducer, batch: BatchBuilder, place: _Place) -> None:
        topic, partition = place
        async with asyncio.timeout(self._batch_timeout_seconds):
            await (await producer.send_batch(batch, topic, partition=partition))

    async def _publish_one_by_one(self, shares: Sequence[_Share]) -> None:
        async def publish_share(share: _Share) -> None:
            while share.waiting:
                reason = await self._publish_one(share.place, share.waiting[0])
                if reason is None:
                    del share.waiting[0]
                else:
                    share.refuse(reason)

        async with asyncio.TaskGroup() as group:
            for share in shares:
                group.create_task(publish_share(share))

    async def _publish_one(self, place: _Place, record: Record) -> str | None:
        """Publish one record, for as long as it takes; give the reason if it is refused."""
        for seconds in jittered_seconds(**self._backoff):
            try:
                producer = await self._open_single()
                batch, count = self._fill(producer, [record])
                if not count:
                    return self._too_large
                await self._send(producer, batch, place)
            except _REFUSALS as error:
                return repr(error)
            except _UNKNOWN as error:
                self._tally.unknown += 1
                await self._give_up_single()
                await self._wait(seconds, error)
            else:
                return None
        raise AssertionError("unreachable: the waits have no end")

    async def _open_single(self) -> AIOKafkaProducer:
        # Several partitions ask at once; a producer too many would never be closed.
        async with self._opening:
            if self._single is None:
                self._single = await self._start(enable_idempotence=False)
            return self._single

    async def _wait(self, seconds: float, error: BaseException) -> None:
        level = logging.DEBUG if self._is_troubled else logging.WARNING
        if not self._is_troubled:
            self._is_troubled = True
            self._tally.unavailable += 1
        logger.log(level, "kafka unavailable retry_seconds=%.1f error=%r", seconds, error)
        await asyncio.sleep(seconds)

    def _end_trouble(self) -> bool:
        """Kafka is waited for no longer; give whether it was."""
        was_troubled, self._is_troubled = self._is_troubled, False
        self._tally.unavailable -= was_troubled
        return was_troubled

    async def _start(self, *, enable_idempotence: bool) -> AIOKafkaProducer:
        settings = {**self._settings, "enable_idempotence": enable_idempotence}
        producer = await producers.start(settings, timeout_seconds=self._batch_timeout_seconds)
        self._tally.producers += 1
        return producer

    async def _give_up_main(self) -> None:
        producer, self._main = self._main, None
        if producer is not None:
            await producers.give_up(producer)

    async def _give_up_single(self) -> None:
        producer, self._single = self._single, None
        if producer is not None:
            await producers.give_up(producer)
