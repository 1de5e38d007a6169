"""What is on a topic of a real Kafka, and what the tests of publishing share."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from outbox.publisher import KafkaPublisher

BuildPublisher = Callable[..., KafkaPublisher]


@asynccontextmanager
async def reading(bootstrap_servers: str) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers, enable_auto_commit=False)
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def read_topic(bootstrap_servers: str, topic: str, partitions: int = 3) -> list[ConsumerRecord[bytes, bytes]]:
    """Give everything on a topic, each partition's in its order."""
    places = [TopicPartition(topic, number) for number in range(partitions)]
    records: list[ConsumerRecord[bytes, bytes]] = []
    async with reading(bootstrap_servers) as consumer, asyncio.timeout(20):
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        for place in places:
            consumer.seek(place, 0)
        while any([await consumer.position(place) < ends[place] for place in places]):
            for found in (await consumer.getmany(timeout_ms=200)).values():
                records += found
    return sorted(records, key=lambda record: (record.partition, record.offset))


def sequences(records: Sequence[ConsumerRecord[bytes, bytes]], key: str) -> list[int]:
    return [int(dict(record.headers)["ce_sequence"]) for record in records if record.key == key.encode()]
