"""What Kafka may do to a reader: gaps, others' time stamps, compression, hot partitions, a rebalance at a bad time."""

import asyncio
from contextlib import asynccontextmanager
from functools import partial

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from sqlalchemy import text

from app import broker, topic_logs, wiring
from consumers.records import Partition
from messages.codec import encode_command
from tests import making
from tests.acceptance.conftest import NOW, eventually, send
from tests.acceptance.test_consuming import assert_one_effect_each, consuming, decided, rows
from tests.acceptance.test_undecodable import of_partition
from tests.making import SOURCE, new_id


@asynccontextmanager
async def producing(settings, **arguments):
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers, **arguments)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def send_by(producer, settings, commands) -> None:
    waiting = []
    for command in commands:
        key, value, headers = encode_command(command, command_id=new_id(), source=SOURCE, time=NOW)
        waiting.append(await producer.send(settings.topic("commands"), value, key=key, headers=headers))
    await asyncio.gather(*waiting)


@pytest.mark.real_kafka("transactions")
async def test_gaps_that_transactional_producers_leave_are_believed(service, database):
    """Aborted commands are not applied, marks of transactions are passed over, and a restart finds its last record."""
    async with producing(service, transactional_id=f"{service.consumer_group}-producer") as producer:
        for number in range(3):
            async with producer.transaction():
                await send_by(producer, service, of_partition(1, 5))
            await producer.begin_transaction()
            await send_by(producer, service, of_partition(1, 3 + number))
            await producer.abort_transaction()
            async with consuming(service, database) as (consumer, source):
                await eventually("the committed ones are decided", partial(decided, database, 5 * number + 5))
                assert source.stopped == {}
            assert consumer.counts["applied"] == 5

    [(checkpoint,)] = await rows(database, "SELECT next_offset FROM checkpoints WHERE partition = 1")
    _, end = (await topic_logs.log_ranges(service, service.topic("commands")))[1]
    assert (checkpoint, end) == (26, 33), "right behind the last command; two marks and five aborted ones follow"
    await assert_one_effect_each(database, 15)


async def set_time_stamps(settings, kind: str) -> None:
    resource = ConfigResource(ConfigResourceType.TOPIC, settings.topic("commands"), configs={broker.TIME_STAMPS: kind})
    async with broker.open_admin(settings) as admin:
        await admin.alter_configs([resource])


@pytest.mark.real_kafka("topics stamped by the broker, and changed")
async def test_no_command_is_decided_by_its_producers_time(service, database):
    """The topic was changed under a running consumer: it stops in front of the first record stamped by a producer."""
    await send(service, of_partition(1, 5))
    async with consuming(service, database) as (consumer, source):
        await eventually("the first are decided", lambda: decided(database, 5))
        await set_time_stamps(service, "CreateTime")
        await send(service, of_partition(1, 3))
        await set_time_stamps(service, "LogAppendTime")
        await send(service, of_partition(1, 2))
        await send(service, of_partition(2, 2))
        await eventually("it is noticed", lambda: is_stopped(source))
        await eventually("others go on", lambda: decided(database, 7))
        why = source.stopped[Partition(service.topic("commands"), 1)]
        assert why.startswith(
            "the record at offset 5 is stamped by its producer, but commands are decided by the broker"
        )
    assert consumer.counts["applied"] == 7

    accepting = service.model_copy(update={"accept_producer_time": True})
    async with consuming(accepting, database):
        await eventually("the rest is decided", lambda: decided(database, 12))
    async with consuming(service, database) as (consumer, source):
        await send(service, of_partition(1, 1))
        await eventually("and without it again", lambda: decided(database, 13))
    await assert_one_effect_each(database, 13)


async def is_stopped(source) -> bool:
    return bool(source.stopped)


async def test_commands_of_producers_that_compress_are_applied(service, database):
    for codec in ("gzip", "snappy", "lz4", "zstd"):
        async with producing(service, compression_type=codec) as producer:
            await send_by(producer, service, [making.register_user() for _ in range(5)])

    async with consuming(service, database) as (consumer, source):
        await eventually("all are decided", lambda: decided(database, 20))
        assert source.stopped == {}
    assert consumer.counts["applied"] == 20


async def test_hot_partitions_do_not_keep_a_cold_one_waiting(service, database):
    """Two partitions have 600 commands each, the third one 10: it has its share of the first batches."""
    settings = service.model_copy(update={"lanes": 1, "batch_max_commands": 60})
    for number, count in ((0, 600), (1, 600), (2, 10)):
        await send(service, of_partition(number, count, partitions=service.topic_partitions))
    source = wiring.build_source(settings, database)
    await source.start()
    running = asyncio.create_task(source.run())
    seen: dict[int, int] = {0: 0, 1: 0, 2: 0}
    while seen[2] < 10:
        batch = await source.next_batch(0)
        for record in batch.records if batch else ():
            seen[record.partition] += 1
    running.cancel()
    await asyncio.wait([running])
    await source.stop()

    assert seen[0] + seen[1] <= 5 * 60, seen


@pytest.mark.real_kafka("groups of several consumers")
async def test_rebalance_while_the_database_is_slow_applies_nothing_twice_and_skips_nothing(service, database):
    """Partitions go to another consumer and back, while nobody can load or advance a checkpoint."""
    await send(service, [making.register_user() for _ in range(300)])
    async with consuming(service, database) as (_, first):
        await eventually("it works", lambda: decided(database, 50))
        async with database.transaction() as session:
            await session.execute(text("LOCK TABLE checkpoints IN ACCESS EXCLUSIVE MODE"))
            async with asyncio.timeout(60), consuming(service, database) as (_, second):
                generation = first.generation
                await send(service, [making.register_user() for _ in range(300)])
                while not second.generation or first.generation == generation:  # noqa: ASYNC110 - a client's listener
                    await asyncio.sleep(0.05)
                assert second.positions == {}, "nothing is read before its checkpoint is known"
                await session.commit()
                await eventually("all are decided", lambda: decided(database, 600))
                assert (dict(first.stopped), dict(second.stopped)) == ({}, {})
        await send(service, [making.register_user() for _ in range(100)])
        await eventually("the first goes on alone", lambda: decided(database, 700))

    await assert_one_effect_each(database, 700)
