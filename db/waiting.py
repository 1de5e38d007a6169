"""How long to wait, and how to be interrupted meanwhile."""

import asyncio
import random
from collections.abc import Awaitable, Iterator


def jittered_seconds(*, first_seconds: float = 0.1, most_seconds: float = 30) -> Iterator[float]:
    """Give waits for ever, each anywhere between nothing and a ceiling that doubles.

    This is the "full jitter" of the AWS Architecture Blog's "Exponential Backoff And Jitter".

    Args:
        first_seconds: the first ceiling.
        most_seconds: the highest ceiling.
    """
    for ceiling in doubling_seconds(first_seconds=first_seconds, most_seconds=most_seconds):
        yield random.uniform(0, ceiling)  # noqa: S311 - no secret


def doubling_seconds(*, first_seconds: float, most_seconds: float) -> Iterator[float]:
    """Give waits for ever, each twice the one before, up to the most."""
    seconds = first_seconds
    while True:
        yield seconds
        seconds = min(seconds * 2, most_seconds)


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


def leave_if_cancelled() -> None:
    """Raise the cancellation that was asked of this task and lost below it; for whoever goes on after errors.

    Until Python 3.13 a group of tasks forgets one that comes while it ends with errors, and until 3.12
    `asyncio.wait_for` one that comes as it is done.

    Raises:
        asyncio.CancelledError: there is one.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def done_before(event: asyncio.Event, work: Awaitable[None], *, grace_seconds: float = 0) -> bool:
    """Do work that may be left off anywhere, unless an event is set first.

    Args:
        event: such as that the process is to end.
        work: is cancelled where it is then.
        grace_seconds: how long the work still has after the event.

    Returns:
        Whether it was done.
    """
    limit = asyncio.timeout(None)
    try:
        async with limit:
            expiring = asyncio.create_task(_expire(limit, event, grace_seconds))
            try:
                await work
            finally:
                expiring.cancel()
    except TimeoutError:
        if not limit.expired():
            raise
        return False
    return True


async def _expire(limit: asyncio.Timeout, event: asyncio.Event, grace_seconds: float) -> None:
    await event.wait()
    await asyncio.sleep(grace_seconds)
    limit.reschedule(asyncio.get_running_loop().time())
