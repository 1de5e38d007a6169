"""Kafka producers opened, and given up so that nothing of theirs arrives behind newer records."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    LeaderNotAvailableError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)
from aiokafka.producer.message_accumulator import MessageBatch
from aiokafka.producer.sender import Sender, SendProduceReqHandler
from aiokafka.structs import TopicPartition

from outbox.troubles import Place

GoOn = Callable[[Place, KafkaError], bool]
"""Is told of each failed attempt, and says whether the client is to try again."""

_CLOSE_TIMEOUT_SECONDS: Final = 5.0
"""How long connections may take to close; a broker that hangs may never let them."""


async def start(
    settings: Mapping[str, Any], *, timeout_seconds: float, go_on: GoOn = lambda *_: True
) -> AIOKafkaProducer:
    """Build a producer and connect it.

    Args:
        settings: the client library's own.
        timeout_seconds: how long connecting may take.
        go_on: is asked before the client tries a batch again by itself; else nobody would learn why it does.

    Raises:
        TimeoutError: it took longer.
        aiokafka.errors.KafkaError, OSError: no broker can be reached, or none wants us.
    """
    producer = AIOKafkaProducer(**settings)
    try:
        async with asyncio.timeout(timeout_seconds):
            await producer.start()
        _ask_before_retries(producer._sender, go_on)
    except BaseException:
        await give_up(producer)
        raise
    return producer


async def give_up(producer: AIOKafkaProducer) -> None:
    """Close a producer so that it sends nothing any more.

    Its own `stop` first flushes, which for an idempotent one can take for ever; the records would arrive late, behind
    newer ones. So its sender is cancelled by hand, again and again because it awaits its requests one by one.
    """
    task = asyncio.current_task()
    asked = 0 if task is None else task.cancelling()
    producer._closed = True
    sender = producer._sender.sender_task
    if sender is not None:
        sender.cancel()
    await _disconnect(producer)
    while sender is not None and not sender.done():
        sender.cancel()
        await asyncio.wait([sender], timeout=0.1)
    # Until it was done it may have connected again.
    await _disconnect(producer)
    # The client swallows a cancellation that meets it while it closes; whoever is to end would go on for ever.
    if task is not None and task.cancelling() > asked:
        raise asyncio.CancelledError


async def count_partitions(producer: AIOKafkaProducer, topic: str) -> int:
    """Give how many partitions a topic has; asks the brokers once where that is not known, and waits for nothing.

    Raises:
        UnknownTopicOrPartitionError: there is no such topic.
        TopicAuthorizationFailedError: we may not know of it.
        KafkaError: no broker answers.
    """
    client = producer.client
    found = client.cluster.partitions_for_topic(topic)
    if found is None:
        await client.add_topic(topic)
        await _update(producer)
        found = client.cluster.partitions_for_topic(topic)
    if found is not None:
        return len(found)
    if topic in client.cluster.unauthorized_topics:
        raise TopicAuthorizationFailedError(topic)
    raise UnknownTopicOrPartitionError(topic)


async def check_leader(producer: AIOKafkaProducer, place: Place) -> None:
    """See that a partition has a leader; the client would wait for one until the batch expires.

    Raises:
        LeaderNotAvailableError: it has none.
        KafkaError: no broker answers.
    """
    handle = TopicPartition(place.topic, place.partition)
    if producer.client.cluster.leader_for_partition(handle) not in {None, -1}:
        return
    await count_partitions(producer, place.topic)
    await _update(producer)
    if producer.client.cluster.leader_for_partition(handle) in {None, -1}:
        raise LeaderNotAvailableError


async def _update(producer: AIOKafkaProducer) -> None:
    if not await producer.client.force_metadata_update():
        raise KafkaConnectionError("no broker tells about the topics")


class _Asking(SendProduceReqHandler):  # type: ignore[misc] # aiokafka has no types
    """A request to a broker whose failures are told."""

    go_on: GoOn

    def _can_retry(self, error: KafkaError, batch: MessageBatch) -> bool:
        is_wanted = self.go_on(Place(*batch.tp), error)
        return is_wanted and bool(super()._can_retry(error, batch))


def _ask_before_retries(sender: Sender, go_on: GoOn) -> None:
    """Let each of a sender's requests be one that asks. The client tells nobody why it retries, except its own log."""

    async def do(node_id: int, batches: Mapping[TopicPartition, MessageBatch]) -> None:
        handler = _Asking(sender, batches)
        handler.go_on = go_on
        await handler.do(node_id)
        sender._in_flight.remove(node_id)
        for handle in batches:
            sender._muted_partitions.remove(handle)

    sender._send_produce_req = do


async def _disconnect(producer: AIOKafkaProducer) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(_CLOSE_TIMEOUT_SECONDS):
            await producer.client.close()
