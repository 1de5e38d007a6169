"""A batch of some kilobytes that unpacks to hundreds of megabytes, and the way past it."""

import json
import struct

import cramjam
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.record.util import calc_crc32c, encode_varint

from app import skipping, topic_logs
from app.settings import Settings
from tests.acceptance.conftest import eventually, running, send
from tests.acceptance.test_checkpoints import checkpoints_of, is_stopped, squad
from tests.acceptance.test_consuming import assert_one_effect_each, consuming, decided, rows
from tests.acceptance.test_undecodable import of_partition, send_damaged
from tests.making import new_id

pytestmark = pytest.mark.real_kafka("batches as the broker keeps them")

UNPACKED = 400 * 1024 * 1024
ROOM = 300 * 1024 * 1024
LETTERS = "SELECT record_offset, key, value, reason, detail FROM dead_letters ORDER BY record_offset"


def build_bomb() -> bytes:
    """Give a record batch with one record, whose value is zeros packed by zstd; nobody here ever has them all."""
    value = bytearray()
    encode_varint(UNPACKED, value.append)
    inner_size = 1 + 1 + 1 + 1 + len(value) + UNPACKED + 1
    length = bytearray()
    encode_varint(inner_size, length.append)
    # Attributes, and the record's distance in time and offset from the first; a key of no bytes; the value's size.
    front = bytes(length) + b"\0\0\0\0" + bytes(value)
    packer = cramjam.zstd.Compressor()
    packer.compress(front)
    for _ in range(UNPACKED // (1024 * 1024)):
        packer.compress(bytes(1024 * 1024))
    packer.compress(b"\0")
    packed = bytes(packer.finish())
    zstd, now = 4, 1_777_896_000_000
    behind_checksum = struct.pack(">hiqqqhii", zstd, 0, now, now, -1, -1, -1, 1) + packed
    checked = struct.pack(">ib", 0, 2) + struct.pack(">I", calc_crc32c(behind_checksum)) + behind_checksum
    return struct.pack(">qi", 0, len(checked)) + checked


class Carrying:
    """A batch's builder that builds something else."""

    def __init__(self, builder, carried: bytes) -> None:
        self._builder = builder
        self._carried = carried

    def __getattr__(self, name: str):
        return getattr(self._builder, name)

    def build(self) -> bytearray:
        return bytearray(self._carried)


async def send_bomb(settings: Settings, partition: int) -> int:
    """Send it, and give its size as it travels."""
    bomb = build_bomb()
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers)
    await producer.start()
    batch = producer.create_batch()
    batch.append(key=b"k", value=b"v", timestamp=None)
    batch._builder = Carrying(batch._builder, bomb)
    await (await producer.send_batch(batch, settings.topic("commands"), partition=partition))
    await producer.stop()
    return len(bomb)


async def test_bomb_stops_its_partition_in_a_process_of_little_memory_and_is_stepped_over(service, database):
    await send(service, of_partition(1, 20))
    assert await send_bomb(service, 1) < 50_000
    await send(service, of_partition(1, 5))
    await send(service, of_partition(0, 30))
    skip = ["checkpoints", "skip", "1", "--reason", "a test bomb", "--json"]

    with running(service.model_copy(update={"heartbeat_interval_seconds": 0.3}), "consume") as process:
        process.limit_memory(process.address_space + ROOM)
        await eventually("what is before it and elsewhere is decided", lambda: decided(database, 50))
        await eventually("it says that it is stopped", lambda: is_stopped(service, 1))
        assert process.lives
        assert "the record at or after offset 20 cannot be read: UnpackedTooLargeError" in process.printed
        await send(service, of_partition(2, 10))
        await eventually("the others go on", lambda: decided(database, 60))

        [shown] = await squad(service, *skip)
        assert (shown["first"], shown["last"], shown["skipped"], shown["next_fetchable"]) == (20, 20, 1, 21)
        assert (shown["codec"], shown["done"]) == ("zstd", False)
        assert (await checkpoints_of(database))[1] == 20, "without --yes nothing is changed"
        assert await rows(database, LETTERS) == []
        assert await squad(service, *skip, "--yes") == [shown | {"done": True}]
        await eventually("what is behind it is decided, without a restart", lambda: decided(database, 65))
        assert process.stop()[0] == 0

    await assert_one_effect_each(database, 65)
    [(offset, key, value, reason, detail)] = await rows(database, LETTERS)
    assert (offset, key, value, reason) == (20, None, None, "unfetchable")
    assert detail.startswith("cannot be read: UnpackedTooLargeError: a batch of records unpacks to more than")
    assert await rows(database, "SELECT action, reason, before, after FROM audit") == [
        ("checkpoints skip", "a test bomb", {"next_offset": 20}, {"next_offset": 21, "dead_letters": 1})
    ]
    [(headers,)] = await rows(
        database, "SELECT array_to_json(header_names) FROM outbox WHERE type = 'squad.dead-letter.v1'"
    )
    assert "dead-letter-offset" in json.dumps(headers)


async def test_batches_that_cannot_be_decoded_are_stepped_over_together_and_what_can_be_is_not(service, database):
    await send(service, of_partition(1, 4))
    with pytest.raises(skipping.SkipError, match="no checkpoint"):
        await skipping.plan(service, 1)

    async with consuming(service, database) as (_, source):
        await eventually("it works", lambda: decided(database, 4))
        with pytest.raises(skipping.SkipError, match=r"nothing to skip: .* is 4, and the log ends there"):
            await skipping.plan(service, 1)
        await send_damaged(service, 1)
        await send_damaged(service, 1)
        await send_damaged(service, 1, record=2)
        await send(service, of_partition(1, 5))
        await eventually("its partition is stopped", lambda: _is_stopped(source))

        asked = await skipping.plan(service, 1)
        assert (asked.before, asked.after, len(asked.batches)) == (4, 10, 2)
        await skipping.skip(service, asked, reason="tests")
        with pytest.raises(skipping.SkipError, match="was moved meanwhile"):
            await skipping.skip(service, asked, reason="tests")
        await eventually("what can be read of the third is decided", lambda: decided(database, 6))
        await eventually("its partition is stopped again", lambda: _is_stopped(source))
        asked = await skipping.plan(service, 1)
        assert (asked.before, asked.after, len(asked.batches)) == (12, 13, 1)
        await skipping.skip(service, asked, reason="tests")
        await eventually("what is behind them is decided", lambda: decided(database, 11))
        with pytest.raises(skipping.SkipError, match="nothing to skip"):
            await skipping.plan(service, 1)

    assert [row[0] for row in await rows(database, LETTERS)] == [*range(4, 10), 12]
    assert source.stopped == {}


async def test_what_no_consumer_sees_is_neither_stepped_over_nor_in_the_way(service, database):
    await send(service, of_partition(1, 4))
    producer = AIOKafkaProducer(bootstrap_servers=service.kafka_bootstrap_servers, transactional_id=new_id())
    await producer.start()
    await producer.begin_transaction()
    await producer.send_and_wait(service.topic("commands"), b"x", key=b"x", partition=1)
    await producer.abort_transaction()
    await producer.stop()
    await eventually("the transaction's end is marked", lambda: _ends_at(service, 6))
    await send_damaged(service, 1)
    await send(service, of_partition(1, 5))

    async with consuming(service, database) as (_, source):
        await eventually("what is before it is decided", lambda: decided(database, 4))
        await eventually("its partition is stopped", lambda: _is_stopped(source))
        assert (await checkpoints_of(database))[1] == 4, "a record that was taken back, and a mark, are behind it"
        asked = await skipping.plan(service, 1)
        assert (asked.before, asked.after, len(asked.batches)) == (4, 9, 1)
        await skipping.skip(service, asked, reason="tests")
        await eventually("what is behind it is decided", lambda: decided(database, 9))

    assert [row[0] for row in await rows(database, LETTERS)] == [6, 7, 8]


async def _is_stopped(source) -> bool:
    return bool(source.stopped)


async def _ends_at(settings: Settings, offset: int) -> bool:
    return (await topic_logs.end_offsets(settings, settings.topic("commands")))[1] == offset
