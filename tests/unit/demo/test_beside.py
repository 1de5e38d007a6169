"""What runs beside a block ends with it, even when it swallows a cancellation."""

import asyncio

import pytest

from app.demo.beside import beside


async def _stubborn(cancellations: list[int]) -> None:
    """Go on after the first cancellation, as the Kafka client may make its callers do."""
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        cancellations.append(1)
    await asyncio.Event().wait()


async def _fail() -> None:
    raise LookupError("gone")


async def test_swallowed_cancellation_is_repeated() -> None:
    cancellations: list[int] = []

    async with asyncio.timeout(10), beside(_stubborn(cancellations)):
        await asyncio.sleep(0)

    assert cancellations == [1]


async def test_failure_of_the_block_ends_what_is_beside_it() -> None:
    async def run() -> None:
        async with asyncio.timeout(10), beside(_stubborn([])):
            await asyncio.sleep(0)
            raise ValueError("the block's")

    with pytest.raises(ValueError, match="the block's"):
        await run()


async def test_failure_beside_the_block_ends_the_block() -> None:
    with pytest.raises(LookupError, match="gone"):
        async with asyncio.timeout(10), beside(_fail()):
            await asyncio.Event().wait()


async def test_cancellation_of_the_block_is_kept() -> None:
    inside = asyncio.Event()

    async def run() -> None:
        async with beside(_stubborn([])):
            inside.set()
            await asyncio.Event().wait()

    running = asyncio.ensure_future(run())
    await inside.wait()
    running.cancel()

    with pytest.raises(asyncio.CancelledError):
        await running
