"""A process of the service inside the test's own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app import wiring
from app.settings import Settings


@asynccontextmanager
async def process_inside(settings: Settings, kind: wiring.Kind) -> AsyncIterator[wiring.Process]:
    """Run all parts of a process while the block runs; one that fails ends the block."""
    async with wiring.open_process(settings, kind) as process, asyncio.TaskGroup() as tasks:
        for part in process.parts:
            tasks.create_task(part.run())
        try:
            yield process
        finally:
            for part in process.parts:
                part.stop()
