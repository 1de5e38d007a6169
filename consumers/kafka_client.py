"""Habits that every client of aiokafka needs: started, or closed, and that in time; and bounded in what it unpacks."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from consumers import unpacking

logger = logging.getLogger("squad.source")

_BY_HAND_SECONDS: Final = 1.0
"""How long what is closed by hand may take to end."""


async def start(client: Any) -> None:  # noqa: ANN401 - the client library is untyped
    """Start a consumer or producer; where that fails, close it and raise what failed.

    Args:
        client: not started yet.

    Raises:
        aiokafka.errors.KafkaError: no broker can be reached, or it refuses us.
    """
    unpacking.bound()
    try:
        await client.start()
    except BaseException:
        # Its tasks are only scheduled yet. Stopped before they ran once, they cancel whoever stops them instead.
        await asyncio.sleep(0)
        await client.stop()
        raise


@asynccontextmanager
async def opened(client: Any) -> AsyncIterator[Any]:  # noqa: ANN401 - the client library is untyped
    """Give a started client, stopped at the end; a producer has sent what it was given by then."""
    await start(client)
    try:
        yield client
    finally:
        await client.stop()


async def leave(consumer: Any, *, seconds: float) -> None:  # noqa: ANN401 - the client library is untyped
    """Stop a consumer of a group within a time; what is left of it then is closed by hand.

    Its own `stop` has no limit, raises what its tasks have ended with before it closes the connections, and raises
    `CancelledError` by itself; so it has a task of its own.
    """
    stopping = asyncio.create_task(consumer.stop())
    try:
        await asyncio.wait([stopping], timeout=seconds)
    finally:
        is_whole = stopping.done() and not stopping.cancelled() and stopping.exception() is None
        if not is_whole:
            logger.warning("leaving the group took longer than %g s or failed; closed by hand", seconds)
            await _close_by_hand(consumer, stopping)


async def _close_by_hand(consumer: Any, stopping: asyncio.Task[None]) -> None:  # noqa: ANN401 - the library is untyped
    coordinator, fetcher = consumer._coordinator, consumer._fetcher
    tasks: list[asyncio.Task[Any] | None] = [stopping]
    if coordinator is not None:
        tasks += [coordinator._coordination_task, coordinator._heartbeat_task, coordinator._commit_refresh_task]
    if fetcher is not None:
        tasks += [fetcher._fetch_task, *fetcher._pending_tasks]
    closing = asyncio.create_task(consumer._client.close())
    left = [task for task in tasks if task is not None]
    for task in left:
        task.cancel()
    done, _ = await asyncio.wait([closing, *left], timeout=_BY_HAND_SECONDS)
    closing.cancel()
    for task in done:
        # Asked for, so that nobody complains that it was not.
        _ = task.cancelled() or task.exception()
