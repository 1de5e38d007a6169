"""Kafka producers that are given up."""

import asyncio

from outbox import producers


async def test_cancellation_that_meets_a_producer_while_it_closes_is_not_lost(bootstrap_servers: str) -> None:
    producer = await producers.start({"bootstrap_servers": bootstrap_servers}, timeout_seconds=20)
    closing, for_ever = asyncio.Event(), asyncio.Event()

    async def end_slowly() -> None:
        try:
            await for_ever.wait()
        except asyncio.CancelledError:
            closing.set()
            await for_ever.wait()

    # In the place of the client's own coroutine, for which it waits while it swallows what it meets.
    producer.client._sync_task.cancel()
    producer.client._sync_task = asyncio.create_task(end_slowly())
    await asyncio.sleep(0)
    giving_up = asyncio.create_task(producers.give_up(producer))
    await closing.wait()
    giving_up.cancel()
    await asyncio.wait([giving_up], timeout=20)
    assert giving_up.cancelled()
