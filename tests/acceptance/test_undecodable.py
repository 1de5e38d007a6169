"""A record that the client library cannot even decode stops its partition, and no other."""

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.record.util import calc_crc32c

from app import checkpoints as operated
from consumers.records import Partition
from domain.commands import Command
from messages.codec import encode_command
from messages.keys import partition_of
from tests import making
from tests.acceptance.conftest import NOW, eventually, send
from tests.acceptance.test_consuming import assert_one_effect_each, consuming, decided, rows
from tests.making import SOURCE, new_id

NAME = "bad-name"
CHECKPOINTS = "SELECT partition, next_offset FROM checkpoints"


class Damaging:
    """Builds a batch whose header name is not UTF-8, its checksum right: as a careless producer would."""

    def __init__(self, builder, record: int) -> None:
        self._builder = builder
        self._record = record

    def __getattr__(self, name: str):
        return getattr(self._builder, name)

    def build(self) -> bytearray:
        built = bytearray(self._builder.build())
        place = -1
        for _ in range(self._record + 1):
            place = built.index(NAME.encode(), place + 1)
        built[place : place + 2] = b"\xff\xfe"
        # The CRC-32C of everything after it, at its place in the header of a record batch of version 2.
        built[17:21] = calc_crc32c(memoryview(built)[21:]).to_bytes(4, "big")
        return built


def of_partition(number: int, count: int, *, partitions: int = 3):
    """Give commands whose keys belong to one of so many partitions."""
    found: list[Command] = []
    while len(found) < count:
        user_id = new_id()
        if partition_of(user_id.encode(), partitions) == number:
            found.append(making.register_user(user_id))
    return found


async def send_damaged(settings, partition: int, *, record: int = 0) -> None:
    """Send a batch of three records, one of which cannot be read."""
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers)
    await producer.start()
    batch = producer.create_batch()
    for command in of_partition(partition, 3):
        key, value, headers = encode_command(command, command_id=new_id(), source=SOURCE, time=NOW)
        batch.append(key=key, value=value, timestamp=None, headers=[*headers, (NAME, b"")])
    batch._builder = Damaging(batch._builder, record)
    await (await producer.send_batch(batch, settings.topic("commands"), partition=partition))
    await producer.stop()


@pytest.mark.real_kafka("topics whose partitions are chosen")
async def test_undecodable_record_stops_its_partition_alone(service, database):
    await send(service, of_partition(1, 20))
    await send_damaged(service, 1)
    await send(service, of_partition(1, 5))
    for number in (0, 2):
        await send(service, of_partition(number, 50))

    async with consuming(service.model_copy(update={"lanes": 1}), database) as (consumer, source):
        await eventually("everything before it and elsewhere is decided", lambda: decided(database, 120))
        await eventually("its partition is stopped", lambda: _stopped(source))
        assert set(source.stopped) == {Partition(service.topic("commands"), 1)}
        [why] = source.stopped.values()
        assert why.startswith("the record at or after offset 20 cannot be read: UnicodeDecodeError")
        assert why.endswith("; `squad checkpoints skip 1` shows how far, and steps over it")
        await send(service, of_partition(0, 10))
        await eventually("the others go on", lambda: decided(database, 130))
        assert dict(await rows(database, CHECKPOINTS)) == {0: 60, 1: 20, 2: 50}

        moves = operated.plan(await operated.fetch(service), [1], everything=False, to="23")
        await operated.accept(service, moves, reason="tests")
        await eventually("what is behind it is decided, without a restart", lambda: decided(database, 135))
        assert source.stopped == {}

    assert consumer.counts["applied"] == 135
    await assert_one_effect_each(database, 135)


async def _stopped(source) -> bool:
    return bool(source.stopped)
