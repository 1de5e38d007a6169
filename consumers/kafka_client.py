"""Habits that every client of aiokafka needs: started, or closed; and bounded in what it unpacks."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from consumers import unpacking


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
