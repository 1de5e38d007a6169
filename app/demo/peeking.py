"""A glance at a topic every now and then: the newest message, without reading all of them."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from itertools import cycle
from typing import Final

from app import topic_logs
from app.settings import Settings
from app.topic_logs import KafkaRecord

EVERY_SECONDS: Final = 0.5


async def peek(settings: Settings, show: Callable[[KafkaRecord], None]) -> None:
    """Show an event, an outcome and so on in turn, as they come, until cancelled.

    Reading everything would take from what is measured meanwhile, so each glance begins at the topic's end.

    Args:
        settings: of the run.
        show: is given a record.
    """
    for topic in cycle((settings.topic("events"), settings.topic("outcomes"))):
        async with aclosing(topic_logs.tail(settings, topic)) as records:
            async for record in records:
                show(record)
                break
        await asyncio.sleep(EVERY_SECONDS)
