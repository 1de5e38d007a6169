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

from aiokafka import ConsumerRebalanceListener
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.annotations import KafkaMessage
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

from bench import guide

SETTLED_SECONDS = 0.5


class Clock(ConsumerRebalanceListener):  # type: ignore[misc]
    """Times so many commands, once partitions are dealt for a while and the first ones warmed everything up."""

    def __init__(self, *, warm_up: int, commands: int) -> None:
        self.warm_up = warm_up
        self.left = commands
        self.dealt = self.started = self.ended = 0.0
        self.done = asyncio.Event()

    def on_partitions_revoked(self, revoked: Any) -> None:  # noqa: ANN401 - as the client calls it
        """Partitions are being dealt."""
        self.dealt = perf_counter()

    def on_partitions_assigned(self, assigned: Any) -> None:  # noqa: ANN401 - as the client calls it
        """Some are dealt."""
        self.dealt = perf_counter()

    def tick(self) -> None:
        """One more is handled."""
        now = perf_counter()
        if self.started:
            self.left -= 1
            if self.left == 0:
                self.ended = now
                self.done.set()
        elif self.warm_up > 0:
            self.warm_up -= 1
        elif now - self.dealt > SETTLED_SECONDS:
            self.started = now


async def run(given: dict[str, Any]) -> dict[str, Any]:
    """Handle so many commands, each in a session and transaction of its own."""
    engine = create_async_engine(given["database_url"].replace("postgresql://", "postgresql+asyncpg://"))
    sessions = async_sessionmaker(engine, expire_on_commit=False)
    broker = KafkaBroker(given["bootstrap_servers"], logger=None, serializer=None, allow_auto_create_topics=False)
    clock = Clock(warm_up=given["warm_up"], commands=given["commands"])

    @broker.subscriber(
        given["topic"],
        group_id=given["group"],
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.NACK_ON_ERROR,
        max_workers=given["workers"],
        listener=clock,
        heartbeat_interval_ms=300,  # so that all workers are in the group soon
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
