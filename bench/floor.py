"""`python -m bench.floor`: the least that a way from command to event can do, as a process of its own.

It consumes a record, commits one row by one `unnest`, and produces a record: no envelope, no decision, no inbox, no
outbox, no order, no crash survived. It ends when its standard input does.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from app.settings import Settings
from bench import report
from consumers import kafka_client

TABLE: Final = "CREATE TABLE IF NOT EXISTS floor (id text, key text, body bytea)"
INSERT: Final = "INSERT INTO floor SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[])"


@contextmanager
def running(settings: Settings) -> Iterator[None]:
    """Run it, in the block, on the topics and the database of these settings."""
    given = {
        "url": report.bare_url(settings.database_url),
        "servers": settings.kafka_bootstrap_servers,
        "partitions": settings.topic_partitions,
        "commands": settings.topic("commands"),
        "events": settings.topic("events"),
    }
    command = [sys.executable, "-m", "bench.floor", json.dumps(given)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        try:
            yield
        finally:
            process.terminate()


async def follow(given: dict[str, Any]) -> None:
    """Turn commands into events until cancelled."""
    connection = await asyncpg.connect(given["url"])
    await connection.execute(TABLE)
    servers = given["servers"]
    async with (
        kafka_client.opened(AIOKafkaConsumer(bootstrap_servers=servers, enable_auto_commit=False)) as consumer,
        kafka_client.opened(AIOKafkaProducer(bootstrap_servers=servers, acks="all")) as producer,
    ):
        places = [TopicPartition(given["commands"], number) for number in range(given["partitions"])]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        while True:
            found = await consumer.getmany(timeout_ms=1000)
            records = [record for some in found.values() for record in some]
            if records:
                await _turn(connection, producer, given["events"], records)


async def _turn(connection: Any, producer: Any, topic: str, records: list[Any]) -> None:  # noqa: ANN401 - untyped
    ids = [dict(record.headers)["ce_id"] for record in records]
    keys = [record.key.decode() for record in records]
    await connection.execute(INSERT, [each.decode() for each in ids], keys, [record.value for record in records])
    waiting = [
        await producer.send(topic, record.value, key=record.key, headers=[("ce_causationid", each)])
        for each, record in zip(ids, records, strict=True)
    ]
    await asyncio.gather(*waiting)


async def main() -> None:
    """Run until standard input ends."""
    following = asyncio.ensure_future(follow(json.loads(sys.argv[1])))
    watching = asyncio.ensure_future(asyncio.to_thread(sys.stdin.read))
    await asyncio.wait([following, watching], return_when=asyncio.FIRST_COMPLETED)
    following.cancel()
    with suppress(asyncio.CancelledError):
        await following


if __name__ == "__main__":
    asyncio.run(main())
