"""A FastStream handler on aiokafka applies commands with the guide's own code, committing offsets after each commit.

Runs in an environment of its own, and prints JSON. From FastStream's documents: `AckPolicy.NACK_ON_ERROR` with a group
("Consuming acknowledgements"), as many workers as partitions ("Concurrent processing"), type casting switched off
("Subscription basics"), no log line a message.
"""

import asyncio
import json
import sys
from importlib.metadata import version
from time import perf_counter
from typing import Any

from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.annotations import KafkaMessage
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

from bench import guide


class Clock:
    """Times the commands between the first ones, which warm everything up, and the last."""

    def __init__(self, *, first: int, last: int) -> None:
        self.first = first
        self.last = last
        self.count = 0
        self.started = self.ended = 0.0
        self.done = asyncio.Event()

    def tick(self) -> None:
        """One more is handled."""
        self.count += 1
        if self.count == self.first:
            self.started = perf_counter()
        elif self.count == self.last:
            self.ended = perf_counter()
            self.done.set()


async def run(given: dict[str, Any]) -> dict[str, Any]:
    """Handle so many commands, each in a session and transaction of its own."""
    engine = create_async_engine(given["database_url"].replace("postgresql://", "postgresql+asyncpg://"))
    sessions = async_sessionmaker(engine, expire_on_commit=False)
    broker = KafkaBroker(given["bootstrap_servers"], logger=None, serializer=None, allow_auto_create_topics=False)
    clock = Clock(first=given["warm_up"], last=given["warm_up"] + given["commands"])

    @broker.subscriber(
        given["topic"],
        group_id=given["group"],
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.NACK_ON_ERROR,
        max_workers=given["workers"],
    )
    async def handle(body: dict[str, Any], message: KafkaMessage) -> None:
        await guide.apply(sessions, message.headers["ce_type"].encode(), body)
        clock.tick()

    await broker.start()
    await clock.done.wait()
    await broker.stop()
    await engine.dispose()
    seconds = clock.ended - clock.started
    return {
        "commands": given["commands"],
        "commands_per_second": given["commands"] / seconds,
        "version": version("faststream"),
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(run(json.loads(sys.argv[1])))))
