"""Reads topics whole, from their first record to what is their end now, with a client of its own."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from checker.evidence import Place, TopicDump, TopicRecord


class UnfinishedReadError(Exception):
    """A topic could not be read to its end in time, so nothing can be said of it."""


async def read_topics(
    client: Mapping[str, Any], topics: Sequence[str], *, since: datetime | None = None, timeout_seconds: float = 60
) -> dict[str, TopicDump]:
    """Read topics from offset 0, or from a time on, to their ends, only what is committed.

    Args:
        client: arguments for the Kafka client, such as `bootstrap_servers`.
        topics: their full names.
        since: by the records' timestamps, and then without their values; absent: everything.
        timeout_seconds: for all of them together.

    Raises:
        UnfinishedReadError: the end was not reached in time.
        aiokafka.errors.KafkaError: a topic is missing, or no broker answers.
    """
    try:
        async with asyncio.timeout(timeout_seconds), _open(client, topics) as consumer:
            return await _read(consumer, since)
    except TimeoutError:
        raise UnfinishedReadError(f"{', '.join(topics)} were not read within {timeout_seconds:g} s") from None


async def count_records(client: Mapping[str, Any], topics: Sequence[str]) -> dict[str, int]:
    """Give how many offsets each topic has used, which is at least the number of its records."""
    counts = dict.fromkeys(topics, 0)
    if topics:
        async with _open(client, topics) as consumer:
            for partition, end in (await consumer.end_offsets(consumer.assignment())).items():
                counts[partition.topic] += end
    return counts


@asynccontextmanager
async def _open(client: Mapping[str, Any], topics: Sequence[str]) -> AsyncIterator[AIOKafkaConsumer]:
    """Give a client to which all partitions of the topics are assigned, paused."""
    consumer = AIOKafkaConsumer(
        *topics, **client, enable_auto_commit=False, auto_offset_reset="earliest", isolation_level="read_committed"
    )
    try:
        await consumer.start()
        consumer.pause(*consumer.assignment())
        yield consumer
    finally:
        # The client's own coroutine must have had a turn: stopped before, it lets our `stop` end as if cancelled.
        await asyncio.sleep(0)
        await consumer.stop()
        # And a cancellation that meets it while it stops is swallowed, but must not be lost.
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise asyncio.CancelledError


async def _read(consumer: AIOKafkaConsumer, since: datetime | None) -> dict[str, TopicDump]:
    partitions = sorted(consumer.assignment())
    begins = await consumer.beginning_offsets(partitions)
    ends = await consumer.end_offsets(partitions)
    starts = begins if since is None else await _find_starts(consumer, ends, since)
    for partition in partitions:
        consumer.seek(partition, starts[partition])
    consumer.resume(*partitions)
    records: dict[TopicPartition, list[TopicRecord]] = {partition: [] for partition in partitions}
    while await _is_short_of(consumer, ends):
        for partition, run in (await consumer.getmany(timeout_ms=200)).items():
            records[partition] += (
                _record(each, with_value=since is None) for each in run if each.offset < ends[partition]
            )
    return {
        topic: TopicDump(
            name=topic,
            records=[record for partition in partitions if partition.topic == topic for record in records[partition]],
            begins={each.partition: begins[each] for each in partitions if each.topic == topic},
            ends={each.partition: ends[each] for each in partitions if each.topic == topic},
        )
        for topic in dict.fromkeys(partition.topic for partition in partitions)
    }


async def _find_starts(
    consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int], since: datetime
) -> dict[TopicPartition, int]:
    found = await consumer.offsets_for_times(dict.fromkeys(ends, round(since.timestamp() * 1000)))
    return {partition: end if found[partition] is None else found[partition].offset for partition, end in ends.items()}


async def _is_short_of(consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]) -> bool:
    for partition, end in ends.items():
        if await consumer.position(partition) < end:
            return True
    return False


def _record(record: Any, *, with_value: bool) -> TopicRecord:  # noqa: ANN401 - the client library has no types
    return TopicRecord(
        place=Place(record.partition, record.offset),
        key=record.key,
        value=record.value if with_value else None,
        headers=tuple(record.headers),
    )
