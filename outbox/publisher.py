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
from typing import Any, Final

from aiokafka import AIOKafkaProducer

from db.stacks import describe_stacks
from db.waiting import jittered_seconds
from outbox import kafka_errors, producers
from outbox.kafka_errors import UNKNOWN, Blame
from outbox.refused import Refused
from outbox.sending import Sending
from outbox.shares import Share, by_partition, by_topic
from outbox.tally import Tally
from outbox.troubles import Place, Troubles
from outbox.wire import Record

logger = logging.getLogger("squad.relay")

_TRIAL_SECONDS: Final = 2.0
"""How long a place that takes nothing may take to take one record after all; all others wait meanwhile."""


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
        self._tally = tally or Tally()
        self._records_per_producer = records_per_producer
        self._batch_timeout_seconds = batch_timeout_seconds
        self._backoff = {"first_seconds": backoff_first_seconds, "most_seconds": backoff_most_seconds}
        self.troubles = Troubles(patience_seconds=patience_seconds)
        """What topics and partitions, and Kafka as a whole, have now."""
        self._sending = Sending(
            settings={
                **client,
                "request_timeout_ms": round(request_timeout_seconds * 1000),
                "compression_type": compression,
            },
            batch_bytes=batch_bytes,
            timeout_seconds=batch_timeout_seconds,
            go_on=lambda place, error: not self._note(place, error),
            tally=self._tally,
        )

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
            self._tally.unavailable -= self.troubles.forget_unavailable() is not None
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
                self._set_aside(share)
        if once:
            await self._for_each(self._try_first, shares)
        await self._publish_batches(shares)
        if any(share.waiting for share in shares):
            await self._sending.give_up_main()
            await self._for_each(lambda share: self._publish_one_by_one(share, once=once), shares)
        if not once:
            self._tally.unavailable -= self.troubles.note_available()
        refused = [each for share in shares for each in share.refused]
        return sorted(refused, key=lambda each: each.position) if refused else ()

    async def _route(self, records: Sequence[Record], *, once: bool) -> list[Share]:
        """Give the records by partition; waits for Kafka, and with patience for each topic to exist."""
        shares: list[Share] = []
        for topic, waiting in by_topic(records).items():
            count = await self._count_partitions(topic, once=once)
            if count is None:
                shares.append(Share(Place(topic), waiting))
                self._set_aside(shares[-1])
            else:
                shares += by_partition(topic, waiting, count=count)
        return shares

    async def _count_partitions(self, topic: str, *, once: bool) -> int | None:
        """Give how many partitions a topic has; None: its rows are to wait."""
        place = Place(topic)
        if not once and self.troubles.is_lasting(place):
            return None
        for seconds in jittered_seconds(**self._backoff):
            try:
                producer = await self._sending.open_main()
                async with asyncio.timeout(self._batch_timeout_seconds):
                    return await producers.count_partitions(producer, topic)
            except UNKNOWN as error:
                self._note(place, error)
                if kafka_errors.classify(error) is Blame.KAFKA:
                    await self._sending.give_up_main()
                if await self._give_in(place, error, seconds, once=once):
                    return None
        raise AssertionError("unreachable: the waits have no end")

    async def _publish_batches(self, shares: Sequence[Share]) -> None:
        """Publish each partition's records beside the others'; what was not acknowledged still waits afterwards."""
        if not any(share.waiting for share in shares):
            return
        for seconds in jittered_seconds(**self._backoff):
            try:
                producer = await self._sending.open_main()
            except UNKNOWN as error:
                self._tally.unavailable += self.troubles.note_unavailable(error)
                await asyncio.sleep(seconds)
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
                self._note(share.place, error)
                logger.info("batch failed, its rows go one by one place=%s rows=%d error=%r", share.place, count, error)
                return
            self.troubles.note_taken(share.place)
            self._sending.sent += count
            del share.waiting[:count]

    async def _await_leader(self, producer: AIOKafkaProducer, share: Share) -> bool:
        """Wait for a partition to have a leader; gives whether it has, else its rows wait.

        The client would wait too, but with the batch, whose sequence numbers would be burnt when it is given up.
        """
        for seconds in jittered_seconds(**self._backoff):
            try:
                await self._check_leader(producer, share.place)
            except TimeoutError as error:
                # Not the brokers: what asks them in this producer has ended. It is given up, as if it had sent in vain.
                self._note(share.place, error)
                return False
            except UNKNOWN as error:
                if await self._give_in(share.place, error, seconds, once=False):
                    self._set_aside(share)
                    return False
            else:
                return True
        raise AssertionError("unreachable: the waits have no end")

    async def _try_first(self, share: Share) -> None:
        """Publish the first record of a share; if it is not taken at once, the whole share goes on waiting."""
        await self._publish_first(share, once=True)

    async def _publish_one_by_one(self, share: Share, *, once: bool) -> None:
        while share.waiting:
            await self._publish_first(share, once=once)

    async def _publish_first(self, share: Share, *, once: bool) -> None:
        """Publish the first record of a share or refuse it, for as long as it takes or until the share must wait."""
        for seconds in jittered_seconds(**self._backoff):
            try:
                reason = await self._send_one(share.place, share.waiting[0], once=once)
            except UNKNOWN as error:
                self._note(share.place, error)
                if kafka_errors.classify(error) is Blame.KAFKA:
                    await self._sending.give_up_single()
                if await self._give_in(share.place, error, seconds, once=once):
                    self._set_aside(share)
                    return
            else:
                if reason is None:
                    del share.waiting[0]
                else:
                    share.refuse(reason)
                return
        raise AssertionError("unreachable: the waits have no end")

    async def _send_one(self, place: Place, record: Record, *, once: bool) -> str | None:
        """Send one record; give the reason if it is refused."""
        producer = await self._sending.open_single()
        batch, count = self._sending.fill(producer, [record])
        if not count:
            return self._sending.too_large
        await self._check_leader(producer, place)
        try:
            await self._sending.send(producer, batch, place, timeout_seconds=_TRIAL_SECONDS if once else None)
        except UNKNOWN as error:
            if kafka_errors.classify(error) is not Blame.RECORD:
                raise
            self.troubles.note_taken(place)
            return repr(error)
        self.troubles.note_taken(place)
        return None

    async def _check_leader(self, producer: AIOKafkaProducer, place: Place) -> None:
        async with asyncio.timeout(self._batch_timeout_seconds):
            await producers.check_leader(producer, place)

    def _note(self, place: Place, error: BaseException) -> bool:
        """Remember a failure, and give whether it lasts; what may be a single record's fault is not the place's.

        Called before the producer is given up, while the stacks say what it waits for.
        """
        if kafka_errors.classify(error) is Blame.RECORD:
            return False
        lasts = self.troubles.note(place, error)
        if isinstance(error, TimeoutError) and self.troubles.note_timeout(place):
            logger.warning("kafka producer does not answer place=%s; the tasks are\n%s", place, describe_stacks())
        return lasts

    async def _give_in(self, place: Place, error: BaseException, seconds: float, *, once: bool) -> bool:
        """Wait after a failure; give whether the rows of a place must wait instead."""
        if self.troubles.note(place, error) or once:
            return True
        if kafka_errors.classify(error) is Blame.PLACE:
            seconds = min(seconds, max(0.0, self.troubles.patience_left(place)))
        else:
            self._tally.unavailable += self.troubles.note_unavailable(error)
        await asyncio.sleep(seconds)
        return False

    def _set_aside(self, share: Share) -> None:
        share.set_aside(self.troubles.describe_place(share.place))

    @staticmethod
    async def _for_each(work: Callable[[Share], Coroutine[None, None, None]], shares: Sequence[Share]) -> None:
        async with asyncio.TaskGroup() as group:
            for share in shares:
                if share.waiting:
                    group.create_task(work(share))
