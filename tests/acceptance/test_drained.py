"""Partitions that were read to their end, as a real broker says it."""

import asyncio
from datetime import UTC, datetime, timedelta

from app import wiring
from consumers.caught_up import CaughtUp
from consumers.records import Partition
from tests.acceptance.conftest import eventually, send
from tests.acceptance.test_consuming import consuming, decided, rows
from tests.acceptance.test_undecodable import of_partition


async def test_partitions_read_to_their_end_are_seen_drained_and_noted(service, database):
    """The empty ones too; and nothing that waits in a partition is older than what is noted."""
    begun, partitions = datetime.now(UTC) - timedelta(seconds=30), service.topic_partitions
    await send(service, of_partition(0, 20, partitions=partitions))
    async with consuming(service, database) as (_, source):
        caught_up = CaughtUp(
            database=database, group=service.consumer_group, drained=lambda: source.drained, answer_seconds=30
        )
        await eventually("all are decided", lambda: decided(database, 20))
        end = {Partition(service.topic("commands"), number): 0 if number else 20 for number in range(partitions)}
        await eventually("all are drained", lambda: _is_drained_at(source, end))
        assert await caught_up.note_once() == partitions

    [(first, is_past)] = await rows(database, "SELECT min(caught_up_at), max(caught_up_at) < now() FROM checkpoints")
    assert first > begun
    assert is_past


async def _is_drained_at(source, end: dict[Partition, int]) -> bool:
    return {each: seen.next_offset for each, seen in source.drained.items()} == end


async def test_partition_with_records_that_are_in_no_batch_yet_is_not_drained(service, database):
    """The client has given all there is, and polls go on; its lane has not taken it."""
    await send(service, of_partition(0, 20, partitions=service.topic_partitions))
    source = wiring.build_source(service.model_copy(update={"lanes": 1}), database)
    full, *others = (Partition(service.topic("commands"), number) for number in range(service.topic_partitions))
    empty = others[0]
    await source.start()
    reading = asyncio.create_task(source.run())
    try:
        await eventually("records are read", lambda: _is_buffered(source, full))
        before = source.drained.get(empty)
        await eventually("polls go on", lambda: _is_news(source, empty, before))
        assert full not in source.drained or source.drained[full].next_offset == 0
        batch = await source.next_batch(0)
        assert batch is not None
        assert len(batch.records) == 20
        await eventually("it is drained", lambda: _is_drained_at(source, {full: 20} | dict.fromkeys(others, 0)))
    finally:
        reading.cancel()
        await source.stop()


async def _is_buffered(source, partition: Partition) -> bool:
    return source._assignment.is_buffered(partition)


async def _is_news(source, partition: Partition, before) -> bool:
    return source.drained.get(partition) not in (None, before)
