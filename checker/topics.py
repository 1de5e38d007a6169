"""Reads topics whole, from their first record to what is their end now, with a client of its own."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from checker.evidence import Place, TopicDump, TopicRecord


class UnfinishedReadError(Exception):
    """A topic could not be read to its end in time, so nothing can be said of it."""


async def read_topics(
    client: Mapping[str, Any], topics: Sequence[str], *, timeout_seconds: float = 60
) -> dict[str, TopicDump]:
    """Read topics from offset 0 to their ends, only what is committed.

    Args:
        client: arguments for the Kafka client, such as `bootstrap_servers`.
        topics: their full names.
        timeout_seconds: for all of them together.

    Raises:
        UnfinishedReadError: the end was not reached in time.
    """
    async with _open(client) as consumer:
        try:
            async with asyncio.timeout(timeout_seconds):
                return await _read(consumer, _partitions(consumer, topics))
        except TimeoutError:
            raise UnfinishedReadError(f"{', '.join(topics)} were not read within {timeout_seconds:g} s") from None


async def count_records(client: Mapping[str, Any], topics: Sequence[str]) -> dict[str, int]:
    """Give how many offsets each topic has used, which is at least the number of its records."""
    async with _open(client) as consumer:
        ends = await consumer.end_offsets(_partitions(consumer, topics))
    counts = dict.fromkeys(topics, 0)
    for partition, end in ends.items():
        counts[partition.topic] += end
    return counts


@asynccontextmanager
async def _open(client: Mapping[str, Any]) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(
        **client, enable_auto_commit=False, auto_offset_reset="earliest", isolation_level="read_committed"
    )
    try:
        await consumer.start()
        yield consumer
    finally:
        await consumer.stop()


async def _read(consumer: AIOKafkaConsumer, partitions: Sequence[TopicPartition]) -> dict[str, TopicDump]:
    consumer.assign(partitions)
    begins = await consumer.beginning_offsets(partitions)
    ends = await consumer.end_offsets(partitions)
    for partition in partitions:
        consumer.seek(partition, begins[partition])
    records: dict[TopicPartition, list[TopicRecord]] = {partition: [] for partition in partitions}
    while await _is_short_of(consumer, ends):
        for partition, run in (await consumer.getmany(timeout_ms=200)).items():
            records[partition] += (_record(each) for each in run if each.offset < ends[partition])
    return {
        topic: TopicDump(
            name=topic,
            records=[record for partition in partitions if partition.topic == topic for record in records[partition]],
            begins={partition.partition: begins[partition] for partition in partitions if partition.topic == topic},
        )
        for topic in dict.fromkeys(partition.topic for partition in partitions)
    }


def _partitions(consumer: AIOKafkaConsumer, topics: Sequence[str]) -> list[TopicPartition]:
    """Give the partitions of topics, of which a client knows all until it is assigned some."""
    found = []
    for topic in topics:
        numbers = consumer.partitions_for_topic(topic)
        if not numbers:
            raise UnfinishedReadError(f"topic {topic} does not exist")
        found += [TopicPartition(topic, number) for number in sorted(numbers)]
    return found


async def _is_short_of(consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]) -> bool:
    for partition, end in ends.items():
        if await consumer.position(partition) < end:
            return True
    return False


def _record(record: Any) -> TopicRecord:  # noqa: ANN401 - the client library has no types
    return TopicRecord(
        place=Place(record.partition, record.offset),
        key=record.key,
        value=record.value,
        headers=tuple(record.headers),
    )
