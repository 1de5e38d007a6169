"""Kafka producers opened, and given up so that nothing of theirs arrives behind newer records."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from aiokafka import AIOKafkaProducer

_CLOSE_TIMEOUT_SECONDS: Final = 5.0
"""How long connections may take to close; a broker that hangs may never let them."""


async def start(settings: Mapping[str, Any], *, timeout_seconds: float) -> AIOKafkaProducer:
    """Build a producer and connect it.

    Args:
        settings: the client library's own.
        timeout_seconds: how long connecting may take.

    Raises:
        TimeoutError: it took longer.
        aiokafka.errors.KafkaError, OSError: no broker can be reached, or none wants us.
    """
    producer = AIOKafkaProducer(**settings)
    try:
        async with asyncio.timeout(timeout_seconds):
            await producer.start()
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


async def _disconnect(producer: AIOKafkaProducer) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(_CLOSE_TIMEOUT_SECONDS):
            await producer.client.close()
