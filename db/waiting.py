"""How long to wait, and how to be interrupted meanwhile."""

import asyncio
import random
from collections.abc import Iterator


def jittered_seconds(*, first_seconds: float = 0.1, most_seconds: float = 30) -> Iterator[float]:
    """Give waits for ever, each anywhere between nothing and a ceiling that doubles.

    This is the "full jitter" of the AWS Architecture Blog's "Exponential Backoff And Jitter".

    Args:
        first_seconds: the first ceiling.
        most_seconds: the highest ceiling.
    """
    ceiling = first_seconds
    while True:
        yield random.uniform(0, ceiling)  # noqa: S311 - no secret
        ceiling = min(ceiling * 2, most_seconds)


async def wait_for(event: asyncio.Event, timeout_seconds: float) -> bool:
    """Wait for an event, but not for ever.

    Returns:
        Whether it is set.
    """
    try:
        async with asyncio.timeout(timeout_seconds):
            return await event.wait()
    except TimeoutError:
        return False
