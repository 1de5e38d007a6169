"""Rows of the outbox to acknowledged records: our relay, and bare producers of the same bytes."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from time import perf_counter
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer
from sqlalchemy import text

from app import broker, wiring
from app.settings import Settings
from bench.draining import consume_to_end
from bench.ground import Ground, fresh_database, reset_checkpoints
from db.database import Database
from messages.keys import partition_of
from outbox.lease import Lease
from outbox.publisher import KafkaPublisher
from outbox.refused import Refused
from outbox.relay import Relay
from outbox.settling import Publisher
from outbox.wire import Record

REWIND = text("UPDATE relay_cursors SET previous = '3:3:', current = NULL, high = NULL, position = 0")

KEEP_FIRST = text(
    """
    DELETE FROM outbox
    WHERE position > (SELECT max(position) FROM (SELECT position FROM outbox ORDER BY position LIMIT :number) x)
    """
)

WARM_UP = 2_000
"""Records that warm a bare producer up: as many as a page of the relay's has."""


class Ready(NamedTuple):
    """A record as a bare producer takes it, its headers built before the clock starts."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]


class Collecting:
    """Keeps what the relay would publish, to hand the same bytes to the bare producers."""

    def __init__(self) -> None:
        self.records: list[Ready] = []

    async def publish(self, records: Sequence[Record], *, once: bool = False) -> Sequence[Refused]:
        """Note the records."""
        self.records.extend(Ready(each.topic, each.key, each.value, each.headers()) for each in records)
        return ()

    async def close(self) -> None:
        """Nothing is open."""


def build_relay(database: Database, publisher: Publisher, *, ttl_seconds: float = 600) -> tuple[Relay, Lease]:
    """Build a relay with the usual limits, and the lease that it needs to be stepped by hand, for so long."""
    lease = Lease(database=database, name="relay-0", ttl_seconds=ttl_seconds)
    return Relay(database=database, publisher=publisher, lease=lease), lease


async def run(ground: Ground) -> dict[str, dict[str, Any]]:
    """Fill an outbox by our consumer, then measure all three with it, in turn."""
    async with AsyncExitStack() as resources:
        settings = await resources.enter_async_context(fresh_database(ground))
        database = await resources.enter_async_context(wiring.open_database(settings))
        await reset_checkpoints(database, settings, ground.first_offsets)
        await consume_to_end(settings, database)
        relayed = await drain(settings, database)
        records = await collect(settings)
        sent = await _rate(settings, records, _send_each)
        batched = await _rate(settings, records, _send_batches)
    return {"relay": relayed, "bare send": sent, "bare send_batch": batched}


async def drain(settings: Settings, database: Database) -> dict[str, Any]:
    """Publish what is committed and not yet published, all of one window; the first of several pages warms up."""
    publisher = KafkaPublisher(client=broker.client_arguments(settings))
    relay, lease = build_relay(database, publisher)
    await lease.acquire_once()
    try:
        began = perf_counter()
        first = await relay.relay_batch()
        warm = perf_counter()
        rest = await relay.pass_once()
        ended = perf_counter()
    finally:
        await relay.close()
        await publisher.close()
        await lease.release()
    return {"events_per_second": rest / (ended - warm) if rest else first / (warm - began), "events": first + rest}


async def keep_first(database: Database, number: int) -> None:
    """Delete what an outbox has beyond its first rows."""
    async with database.transaction() as session:
        await session.execute(KEEP_FIRST, {"number": number})


async def collect(settings: Settings) -> list[Ready]:
    """Read the outbox again from the beginning, into memory."""
    async with wiring.open_database(settings) as database:
        async with database.transaction() as session:
            await session.execute(REWIND)
        collecting = Collecting()
        relay, lease = build_relay(database, collecting)
        await lease.acquire_once()
        await relay.pass_once()
        await relay.close()
        await lease.release()
    return collecting.records


Work = Callable[[AIOKafkaProducer, Settings, Sequence[Ready]], Awaitable[None]]


async def _rate(settings: Settings, records: Sequence[Ready], work: Work) -> dict[str, Any]:
    """Time how a bare producer sends records; the first ones warm it up, as many as the relay's first page."""
    warm_up = min(WARM_UP, len(records) // 2)
    async with _producer(settings) as producer:
        await work(producer, settings, records[:warm_up])
        began = perf_counter()
        await work(producer, settings, records[warm_up:])
        seconds = perf_counter() - began
    return {"events_per_second": (len(records) - warm_up) / seconds, "events": len(records)}


async def _send_each(producer: AIOKafkaProducer, _: Settings, records: Sequence[Ready]) -> None:
    for start in range(0, len(records), 20_000):
        waiting = [
            await producer.send(record.topic, record.value, key=record.key, headers=record.headers)
            for record in records[start : start + 20_000]
        ]
        await asyncio.gather(*waiting)


async def _send_batches(producer: AIOKafkaProducer, settings: Settings, records: Sequence[Ready]) -> None:
    places: dict[tuple[str, int], list[Ready]] = {}
    for record in records:
        partition = partition_of(record.key, settings.topic_partitions)
        places.setdefault((record.topic, partition), []).append(record)
    await asyncio.gather(*(_send_to(producer, place, each) for place, each in places.items()))


async def _send_to(producer: AIOKafkaProducer, place: tuple[str, int], records: Sequence[Ready]) -> None:
    batch = producer.create_batch()
    for record in records:
        if batch.append(key=record.key, value=record.value, timestamp=None, headers=record.headers) is None:
            await (await producer.send_batch(batch, place[0], partition=place[1]))
            batch = producer.create_batch()
            batch.append(key=record.key, value=record.value, timestamp=None, headers=record.headers)
    await (await producer.send_batch(batch, place[0], partition=place[1]))


def _producer(settings: Settings) -> AIOKafkaProducer:
    return AIOKafkaProducer(
        **broker.client_arguments(settings), acks="all", enable_idempotence=True, max_batch_size=1_000_000, linger_ms=5
    )
