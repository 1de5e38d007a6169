"""The logs of topics: where they begin and end, and their records as they come; outside any group."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from typing import Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition

from app.broker import TopicError, absent, client_arguments, open_admin
from app.settings import Settings
from consumers import kafka_client


class KafkaRecord(Protocol):
    """A record as the client library gives it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


async def tail(
    settings: Settings, topic: str, *, from_beginning: bool = False, to_end: bool = False
) -> AsyncGenerator[KafkaRecord, None]:
    """Give a topic's records as they come, outside any group.

    Args:
        settings: where the brokers are.
        topic: its full name.
        from_beginning: begin with the oldest record kept, else with the next one.
        to_end: stop at what was the end when it began, else go on for ever.

    Raises:
        TopicError: there is no such topic.
    """
    partitions = await _partitions(settings, topic)
    client = AIOKafkaConsumer(
        **client_arguments(settings), enable_auto_commit=False, isolation_level="read_committed", fetch_max_wait_ms=100
    )
    async with kafka_client.opened(client) as consumer:
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        starts = await consumer.beginning_offsets(partitions) if from_beginning else ends
        for partition in partitions:
            consumer.seek(partition, starts[partition])
        async for record in _read(consumer, ends if to_end else None):
            yield record


async def end_offsets(settings: Settings, topic: str) -> dict[int, int]:
    """Give the offset behind the last record of each partition of a topic.

    Raises:
        TopicError: there is no such topic.
    """
    partitions = await _partitions(settings, topic)
    async with kafka_client.opened(
        AIOKafkaConsumer(**client_arguments(settings), enable_auto_commit=False)
    ) as consumer:
        ends = await consumer.end_offsets(partitions)
    return {partition.partition: offset for partition, offset in ends.items()}


async def log_ranges(settings: Settings, topic: str) -> dict[int, tuple[int, int]]:
    """Give the first offset, and the one behind the last record, of each partition of a topic.

    Raises:
        TopicError: there is no such topic.
    """
    partitions = await _partitions(settings, topic)
    client = AIOKafkaConsumer(**client_arguments(settings), enable_auto_commit=False, isolation_level="read_committed")
    async with kafka_client.opened(client) as consumer:
        starts, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
    return {each.partition: (starts[each], ends[each]) for each in partitions}


async def _partitions(settings: Settings, topic: str) -> list[TopicPartition]:
    async with open_admin(settings) as admin:
        described = await admin.describe_topics([topic])
    if described[0]["error_code"] != 0:
        raise TopicError(absent(topic, described[0]["error_code"]))
    return [TopicPartition(topic, each["partition"]) for each in described[0]["partitions"]]


async def _read(consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int] | None) -> AsyncIterator[KafkaRecord]:
    while ends is None or await _is_short_of(consumer, ends):
        found = await consumer.getmany(timeout_ms=200, max_records=2_000)
        for record in _merged(found.values()):
            yield record


async def _is_short_of(consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int]) -> bool:
    for partition, end in ends.items():
        if await consumer.position(partition) < end:
            return True
    return False


def _merged(runs: Iterable[Sequence[KafkaRecord]]) -> list[KafkaRecord]:
    return sorted((record for run in runs for record in run), key=lambda record: (record.timestamp, record.offset))
