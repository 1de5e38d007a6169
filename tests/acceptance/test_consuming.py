"""Consumers on a real broker: what is read, when it is read again, and that each command has one effect."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from app import broker, topic_logs, wiring
from consumers.consumer import Consumer
from tests import making
from tests.acceptance.conftest import eventually, running, send
from tests.making import SOURCE, new_id


@asynccontextmanager
async def consuming(settings, database):
    """Run a consumer inside the test."""
    source = wiring.build_source(settings, database)
    consumer = Consumer(source=source, processor=wiring.build_processor(settings, database), lanes=settings.lanes)
    task = asyncio.create_task(consumer.run())
    try:
        yield consumer, source
    finally:
        consumer.stop()
        await task


async def rows(database, query: str):
    async with database.sessions() as session:
        return [tuple(row) for row in await session.execute(text(query))]


async def decided(database, number: int) -> bool:
    [(count,)] = await rows(database, "SELECT count(*) FROM inbox")
    return count >= number


async def assert_one_effect_each(database, commands: int) -> None:
    """Each command has one outcome, and every stream's events count its version without gaps."""
    assert await rows(database, "SELECT count(*), count(DISTINCT command_id) FROM inbox") == [(commands, commands)]
    streams = await rows(
        database,
        """
        SELECT convert_from(o.key, 'UTF8'), array_agg(o.sequence ORDER BY o.position), max(r.version)
        FROM outbox o JOIN (SELECT id, version FROM users UNION ALL SELECT id, version FROM squads) r
          ON r.id::text = convert_from(o.key, 'UTF8')
        WHERE o.sequence IS NOT NULL GROUP BY 1
        """,
    )
    assert streams
    for key, sequences, version in streams:
        assert sequences == list(range(1, version + 1)), f"stream {key}"


async def test_commands_from_kafka_are_applied_and_the_groups_offsets_follow(service, database):
    user_id, squads = new_id(), [new_id() for _ in range(30)]
    await send(service, [making.register_user(user_id)])
    async with consuming(service, database) as (consumer, _):
        await eventually("the user is known", lambda: decided(database, 1))
        await send(service, [making.create_squad(user_id, squad) for squad in squads])
        await eventually("all are decided", lambda: decided(database, 31))

    # Counted behind the commit, so only what has stopped has counted all.
    assert consumer.counts["applied"] == 31
    await assert_one_effect_each(database, 31)
    reader = AIOKafkaConsumer(bootstrap_servers=service.kafka_bootstrap_servers, group_id=service.consumer_group)
    await reader.start()
    committed = {
        number: await reader.committed(TopicPartition(service.topic("commands"), number)) or 0
        for number in range(service.topic_partitions)
    }
    await reader.stop()
    assert committed == dict(await rows(database, "SELECT partition, next_offset FROM checkpoints"))
    assert sum(committed.values()) == 31


@pytest.mark.real_kafka("groups of several consumers")
async def test_two_consumers_across_a_rebalance_and_a_kill_have_one_effect_each(service, database):
    users = [making.register_user() for _ in range(3000)]
    with running(service, "consume") as first:
        await send(service, users[:1000])
        await eventually("the first works", lambda: decided(database, 300))
        with running(service, "consume") as second:
            await send(service, users[1000:2000])
            await eventually("both have partitions", lambda: _owners(database, 2))
            await eventually("both work", lambda: decided(database, 1500))
            await send(service, users[2000:])
            first.kill()
            await eventually("the second applies the rest", lambda: decided(database, 3000))
            code, printed = second.stop()

    assert code == 0, printed
    await assert_one_effect_each(database, 3000)
    assert await rows(database, "SELECT count(*) FROM users") == [(3000,)]


async def _owners(database, number: int) -> bool:
    owners = await rows(database, "SELECT count(*) FROM processes WHERE state -> 'positions' <> '{}'")
    return owners[0][0] >= number


async def test_database_outage_keeps_the_place_in_the_group_and_loses_nothing(service, database, stack):
    name = make_url(service.database_url).database
    admin = create_async_engine(stack.database_url, isolation_level="AUTOCOMMIT")

    async def administer(statement: str) -> None:
        async with admin.connect() as connection:
            await connection.execute(text(statement))

    await send(service, [making.register_user() for _ in range(10)])
    async with consuming(service, database) as (consumer, source):
        await eventually("it works", lambda: decided(database, 10))
        generation = source.generation
        await administer(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        await administer(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        await send(service, [making.register_user() for _ in range(100)])
        # Longer than the session: a consumer that stopped saying it lives would lose its partitions.
        await asyncio.sleep(service.session_seconds * 1.5)
        assert consumer.counts["applied"] == 10
        await administer(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        await eventually("it goes on", lambda: decided(database, 110))
        assert source.generation == generation
        assert not source.stopped
    await admin.dispose()
    await assert_one_effect_each(database, 110)


@pytest.mark.real_kafka("topics that are missing or stamped by the broker")
async def test_consumer_refuses_topics_that_do_not_fit(settings):
    with running(settings, "consume") as process:
        code, printed = process.finish()
    assert code == 1
    assert f"topic {settings.topic('commands')} does not exist: `squad topics create` makes it" in printed

    stamped_by_producers = settings.model_copy(update={"accept_producer_time": True})
    await broker.create_topics(stamped_by_producers)
    with pytest.raises(broker.TopicError, match="LogAppendTime"):
        await broker.check_topics(settings)
    assert await broker.check_topics(stamped_by_producers)


@pytest.mark.real_kafka("making topics")
async def test_whole_way_by_the_command_line(service, database_url):
    """A command sent by hand comes back as an outcome, an event and a row."""
    user_id = new_id()
    data = json.dumps({"user_id": user_id, "email": "ada@example.org", "name": "Ada"})
    with running(service, "run") as process:
        sending = ["send", "user.register.v1", data, "--id", "1", "--source", SOURCE, "--wait-seconds", "30", "--json"]
        with running(service, *sending) as sender:
            code, printed = await asyncio.to_thread(sender.finish)
        assert code == 0, printed
        assert json.loads(printed)["outcome"] == "applied"
        await eventually("the event is readable", lambda: _tail_has(service, "events", user_id))
        await eventually("the outcome is readable", lambda: _tail_has(service, "outcomes", user_id))
        code, printed = await asyncio.to_thread(process.stop)
    assert code == 0, printed
    with running(service, "commands", "show", "1", "--source", SOURCE, "--json") as shown:
        code, printed = shown.finish()
    assert (code, json.loads(printed)["version"]) == (0, 1)


async def _tail_has(settings, topic, key: str) -> bool:
    found = [
        record.key
        async for record in topic_logs.tail(settings, settings.topic(topic), from_beginning=True, to_end=True)
    ]
    return key.encode() in found
