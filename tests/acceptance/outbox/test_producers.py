"""Kafka producers: how they are set, and how they are given up."""

import asyncio

from outbox import producers
from tests.reading import BuildPublisher


async def test_both_producers_wait_for_all_copies_and_the_one_of_batches_is_idempotent(
    build_publisher: BuildPublisher,
) -> None:
    """The client's defaults are one copy, and repeats by its own attempts."""
    sending = build_publisher()._sending
    main, single = await sending.open_main(), await sending.open_single()

    assert [each._sender._acks for each in (main, single)] == [-1, -1]
    assert [each._txn_manager is not None for each in (main, single)] == [True, False]


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
