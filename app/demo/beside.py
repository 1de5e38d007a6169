"""Something that runs beside a block and ends with it, for certain."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final

CANCEL_AGAIN_SECONDS: Final = 0.2


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run `work` while the block runs; what fails first, ends both and is raised.

    It is cancelled until it ends: the Kafka client, while it closes a connection or a consumer, takes a cancellation
    of its caller for that of its own coroutine and swallows it. Once is then not enough.
    """
    try:
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(work)
            try:
                yield
            finally:
                while not task.done():
                    task.cancel()
                    await asyncio.wait([task], timeout=CANCEL_AGAIN_SECONDS)
    except ExceptionGroup as group:
        raise group.exceptions[0] from None
