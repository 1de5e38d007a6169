"""Records into Kafka, acknowledged, in order for each key: batches while all is well, row by row after a failure.

One batch is outstanding per partition: of two un-awaited ones the first can be refused and the second accepted. The
main producer is idempotent, so that its own retries do not repeat. A failed batch burns its sequence numbers, and what
follows on the same producer would fail too; so that producer is given up, and the rows go one by one through a second
producer that is not idempotent. A topic or partition that takes nothing for long does not keep the others waiting: its
rows are given back, to be tried again later.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer

from outbox import kafka_errors
from outbox.kafka_errors import UNKNOWN, Blame
from outbox.one_by_one import OneByOne
from outbox.patience import Patience
from outbox.refused import Refused
from outbox.sending import Sending
from outbox.shares import Share, by_partition, by_topic
from outbox.tally import Tally
from outbox.troubles import Place, Troubles
from outbox.wire import Record

logger = logging.getLogger("squad.relay")


class KafkaPublisher:
    """Publishes records to Kafka with acks=all; a page at a time, by one caller at a time.

    Args:
        client: arguments for the Kafka client, such as `bootstrap_servers` and security.
        batch_bytes: the largest batch, and so the largest record with its headers, before compression; at most the
            topics' `max.message.bytes`.
        request_timeout_seconds: how long a broker may take to answer a request.
        batch_timeout_seconds: how long a batch may take with the client's own retries; then it counts as unknown.
        patience_seconds: for how long a topic or partition that takes nothing keeps the others waiting.
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
        patience_seconds: float = 10,
        records_per_producer: int = 1_000_000_000,
        compression: str | None = None,
        backoff_first_seconds: float = 0.1,
        backoff_most_seconds: float = 30,
        tally: Tally | None = None,
    ) -> None:
        tally = tally or Tally()
        self._records_per_producer = records_per_producer
        self.troubles = Troubles(patience_seconds=patience_seconds)
        """What topics and partitions, and Kafka as a whole, have now."""
        self._patience = Patience(
            troubles=self.troubles, first_seconds=backoff_first_seconds, most_seconds=backoff_most_seconds, tally=tally
        )
        self._sending = Sending(
            settings={
                **client,
                "request_timeout_ms": round(request_timeout_seconds * 1000),
                "compression_type": compression,
            },
            batch_bytes=batch_bytes,
            timeout_seconds=batch_timeout_seconds,
            go_on=lambda place, error: not self._patience.note(place, error),
            tally=tally,
        )
        self._one_by_one = OneByOne(sending=self._sending, patience=self._patience)

    async def publish(self, records: Sequence[Record], *, once: bool = False) -> Sequence[Refused]:
        """Publish records, and return when every one is acknowledged, refused, or known to wait for its place.

        While no broker is to be had at all, that is for as long as it takes.

        Args:
            records: in the order in which each key's are to appear.
            once: whether they waited for their places, which are tried with one record each and given back at once if
                they do not take it.

        Returns:
            By position, what Kafka will never take, and what was withheld because it comes after such a record of its
            topic and key; and what waits for a topic or partition that takes nothing. All others are published.
        """
        try:
            return await self._publish(records, once=once)
        except BaseException:
            # Whoever is interrupted may lead no more: what is still on its way must not arrive behind newer records.
            await self.close()
            self._patience.forget_unavailable()
            raise

    async def close(self) -> None:
        """Close the connections; may be called again, and publishing may go on afterwards."""
        await self._sending.give_up_main()
        await self._sending.give_up_single()

    async def _publish(self, records: Sequence[Record], *, once: bool) -> Sequence[Refused]:
        if self._sending.sent >= self._records_per_producer:
            await self._sending.give_up_main()
        shares = await self._route(records, once=once)
        for share in shares:
            if not once and self.troubles.is_lasting(share.place):
                self._patience.set_aside(share)
        if once:
            await self._for_each(lambda share: self._one_by_one.publish_first(share, once=True), shares)
        await self._publish_batches(shares)
        if any(share.waiting for share in shares):
            await self._sending.give_up_main()
            await self._for_each(lambda share: self._one_by_one.publish(share, once=once), shares)
        if not once:
            self._patience.note_available()
        refused = [each for share in shares for each in share.refused]
        return sorted(refused, key=lambda each: each.position) if refused else ()

    async def _route(self, records: Sequence[Record], *, once: bool) -> list[Share]:
        """Give the records by partition; waits for Kafka, and with patience for each topic to exist."""
        shares: list[Share] = []
        for topic, waiting in by_topic(records).items():
            count = await self._count_partitions(topic, once=once)
            if count is None:
                shares.append(Share(Place(topic), waiting))
                self._patience.set_aside(shares[-1])
            else:
                shares += by_partition(topic, waiting, count=count)
        return shares

    async def _count_partitions(self, topic: str, *, once: bool) -> int | None:
        """Give how many partitions a topic has; None: its rows are to wait."""
        place = Place(topic)
        if not once and self.troubles.is_lasting(place):
            return None
        for seconds in self._patience.waits():
            try:
                return await self._sending.count_partitions(topic)
            except UNKNOWN as error:
                self._patience.note(place, error)
                if kafka_errors.classify(error) is Blame.KAFKA:
                    await self._sending.give_up_main()
                if await self._patience.give_in(place, error, seconds, once=once):
                    return None
        raise AssertionError("unreachable: the waits have no end")

    async def _publish_batches(self, shares: Sequence[Share]) -> None:
        """Publish each partition's records beside the others'; what was not acknowledged still waits afterwards."""
        if not any(share.waiting for share in shares):
            return
        for seconds in self._patience.waits():
            try:
                producer = await self._sending.open_main()
            except UNKNOWN as error:
                await self._patience.wait_for_kafka(error, seconds)
            else:
                break
        await self._for_each(lambda share: self._publish_share(producer, share), shares)

    async def _publish_share(self, producer: AIOKafkaProducer, share: Share) -> None:
        """Publish one partition's records, batch after batch, up to one that fails."""
        while share.waiting:
            batch, count = self._sending.fill(producer, share.waiting)
            if not count:
                share.refuse(self._sending.too_large)
                continue
            if not await self._await_leader(producer, share):
                return
            try:
                await self._sending.send(producer, batch, share.place)
            except UNKNOWN as error:
                self._patience.note(share.place, error)
                logger.info("batch failed, its rows go one by one place=%s rows=%d error=%r", share.place, count, error)
                return
            self.troubles.note_taken(share.place)
            self._sending.sent += count
            del share.waiting[:count]

    async def _await_leader(self, producer: AIOKafkaProducer, share: Share) -> bool:
        """Wait for a partition to have a leader; gives whether it has, else its rows wait.

        The client would wait too, but with the batch, whose sequence numbers would be burnt when it is given up.
        """
        for seconds in self._patience.waits():
            try:
                await self._sending.check_leader(producer, share.place)
            except TimeoutError as error:
                # Not the brokers: what asks them in this producer has ended. It is given up, as if it had sent in vain.
                self._patience.note(share.place, error)
                return False
            except UNKNOWN as error:
                if await self._patience.give_in(share.place, error, seconds, once=False):
                    self._patience.set_aside(share)
                    return False
            else:
                return True
        raise AssertionError("unreachable: the waits have no end")

    @staticmethod
    async def _for_each(work: Callable[[Share], Coroutine[None, None, None]], shares: Sequence[Share]) -> None:
        async with asyncio.TaskGroup() as group:
            for share in shares:
                if share.waiting:
                    group.create_task(work(share))
