"""Running our consumer until it has applied what the topic has: measured, and to prepare the ground."""

import asyncio
from collections import Counter
from time import perf_counter

from app import topic_logs, wiring
from app.settings import Settings
from consumers.consumer import Consumer
from db.database import Database


async def consume_to_end(settings: Settings, database: Database) -> tuple[Counter[str], dict[str, float], float]:
    """Run our consumer until it has applied what the topic has.

    Returns:
        Its counts, the seconds by phase, and the seconds from the first batch begun to the last one committed.
    """
    processor = wiring.build_processor(settings, database)
    source = wiring.build_source(settings, database)
    moments: list[float] = []
    consumer = Consumer(
        source=source, processor=processor, lanes=settings.lanes, on_applied=lambda _: moments.append(perf_counter())
    )
    goal = await topic_logs.end_offsets(settings, settings.topic("commands"))
    running = asyncio.create_task(consumer.run())
    while not source.positions:  # noqa: ASYNC110 - the parts measured are not made to signal for it
        await asyncio.sleep(0.001)
    started = perf_counter()
    while not (moments and {each.number: offset for each, offset in source.positions.items()} == goal):
        await asyncio.sleep(0.005)
        if running.done():
            await running
    consumer.stop()
    await running
    return consumer.counts, dict(processor.phase_seconds), moments[-1] - started
