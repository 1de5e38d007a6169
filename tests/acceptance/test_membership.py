"""Members of the group that come and go: how often partitions move, and what becomes of batches under way."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from aiokafka.admin import NewPartitions
from sqlalchemy import text

from app import broker, wiring
from app.cli.faults import EXIT_FAILED, explain
from consumers.consumer import Consumer
from consumers.records import Partition
from tests import making
from tests.acceptance.conftest import eventually, send
from tests.acceptance.test_consuming import assert_one_effect_each, decided, rows

pytestmark = pytest.mark.real_kafka("groups of several consumers")

QUICK = {"heartbeat_seconds": 0.2}
STATIC = {"metadata_max_age_seconds": 0.5, "session_seconds": 6}


@asynccontextmanager
async def consuming(settings, database, **own):
    """Run a consumer inside the test; give it, its source, and what becomes of it."""
    mine = settings.model_copy(update=QUICK | own)
    source = wiring.build_source(mine, database)
    consumer = Consumer(source=source, processor=wiring.build_processor(mine, database), lanes=mine.lanes)
    task = asyncio.create_task(consumer.run())
    try:
        yield consumer, source, task
    finally:
        consumer.stop()
        await asyncio.wait([task])


async def let_pass(*, heartbeats: int) -> None:
    """Let time pass: members hear of a rebalance by their heartbeats, and only time shows that there is none."""
    await asyncio.sleep(heartbeats * QUICK["heartbeat_seconds"])


async def have_all(settings, *sources) -> bool:
    """Tell whether each has partitions, and all are read."""
    shares = [set(source.positions) for source in sources]
    return all(shares) and sum(map(len, shares)) == settings.topic_partitions


async def has(source, partition) -> bool:
    return partition in source.positions


async def add_partition(settings) -> Partition:
    topic = settings.topic("commands")
    async with broker.open_admin(settings) as admin:
        await admin.create_partitions({topic: NewPartitions(total_count=settings.topic_partitions + 1)})
    return Partition(topic, settings.topic_partitions)


async def test_static_member_that_restarts_in_time_moves_nothing_and_new_partitions_are_seen(service, database):
    """The first one leads the group and restarts; the other one notices nothing, until there is a partition more."""
    first_one = {"consumer_instance": "first"} | STATIC
    async with AsyncExitStack() as life:
        _, first, _ = await life.enter_async_context(consuming(service, database, **first_one))
        await eventually("it is there first", lambda: have_all(service, first))
        async with consuming(service, database, consumer_instance="other", **STATIC) as (_, other, _):
            await eventually("both have a share", lambda: have_all(service, first, other))
            generation, mine = other.generation, set(first.positions)
            await life.aclose()
            async with consuming(service, database, **first_one) as (_, again, _):
                await eventually("it is back", lambda: have_all(service, again, other))
                assert (other.generation, set(again.positions)) == (generation, mine)
                added = await add_partition(service)
                await eventually("the new partition is read", lambda: is_read(added, again, other))


async def is_read(partition, *sources) -> bool:
    return any(partition in source.positions for source in sources)


async def test_second_process_with_a_static_members_name_puts_the_first_one_out_for_good(service, database):
    """Without that, the two would take the place from each other for ever."""
    async with consuming(service, database, consumer_instance="it", **STATIC) as (_, first, ended):
        await eventually("it is a member", lambda: have_all(service, first))
        async with consuming(service, database, consumer_instance="it", **STATIC) as (_, second, _):
            await asyncio.wait([ended], timeout=20)
            told, code = explain(ended.exception()) or ("", 0)
            assert (code, "SQUAD_CONSUMER_INSTANCE" in told) == (EXIT_FAILED, True)
            await eventually("the second one is the member", lambda: have_all(service, second))
            generation = second.generation
            await send(service, [making.register_user() for _ in range(20)])
            await eventually("it works", lambda: decided(database, 20))
            await let_pass(heartbeats=3)
            assert second.generation == generation


async def test_batches_under_way_are_finished_before_their_partitions_are_given_away(service, database):
    """A batch waits for a lock; the group waits for the batch, and nobody reads its records in vain."""
    async with consuming(service, database) as (consumer, first, _):
        await eventually("it is there", lambda: have_all(service, first))
        async with database.transaction() as session:
            await session.execute(text("LOCK TABLE inbox IN ACCESS EXCLUSIVE MODE"))
            await send(service, [making.register_user() for _ in range(30)])
            await eventually("batches are under way", lambda: is_at_work(consumer))
            async with consuming(service, database) as (other_consumer, other, _):
                await eventually("its partitions are taken away", lambda: is_not_a_member(first))
                await let_pass(heartbeats=2)
                assert not other.positions, "the group waits"
                await session.rollback()
                await eventually("both have a share", lambda: have_all(service, first, other))
                await eventually("all are decided", lambda: decided(database, 30))
                assert (consumer.tally.fenced, other_consumer.tally.fenced) == (0, 0)
    await assert_one_effect_each(database, 30)


async def test_batch_that_outlives_its_budget_loses_its_partitions_and_is_fenced(service, database):
    """The group waits no longer than that; the other one applies what the batch has, which then comes too late."""
    go_on = asyncio.Event()
    async with AsyncExitStack() as life:
        consumer, first, _ = await life.enter_async_context(consuming(service, database, rebalance_finish_seconds=0.2))
        life.callback(go_on.set)
        await eventually("it is there", lambda: have_all(service, first))
        hold_batches(consumer, go_on)
        await send(service, [making.register_user() for _ in range(30)])
        await eventually("batches of all lanes are under way", lambda: is_at_work(consumer, lanes=service.lanes))
        late = dict(consumer.in_flight)
        _, other, _ = await life.enter_async_context(consuming(service, database))
        await eventually("both have a share", lambda: have_all(service, first, other), seconds=15)
        lost = {each.number for each in late if each in other.positions}
        assert lost
        await eventually("the other one applies those", lambda: have_moved(database, lost))
        assert late.items() <= consumer.in_flight.items(), "they are under way still"
        go_on.set()
        await eventually("all are decided", lambda: decided(database, 30))
        await eventually("what was late is told", lambda: is_fenced(consumer))
    await assert_one_effect_each(database, 30)


def hold_batches(consumer, go_on) -> None:
    """Let each batch of a consumer wait before its transaction begins."""
    processor = consumer._settler._applier._processor
    apply = processor.apply

    async def wait_and_apply(*batch):
        await go_on.wait()
        return await apply(*batch)

    processor.apply = wait_and_apply


async def have_moved(database, numbers) -> bool:
    moved = await rows(database, "SELECT partition FROM checkpoints WHERE next_offset > 0")
    return numbers <= {number for (number,) in moved}


async def is_fenced(consumer) -> bool:
    return consumer.tally.fenced > 0


async def is_at_work(consumer, *, lanes=1) -> bool:
    return len(consumer._under_way) >= lanes


async def is_not_a_member(source) -> bool:
    return not source.is_member


async def test_members_that_come_and_go_move_partitions_once_each_time(service, database):
    """No ping-pong: one that joins is one rebalance, one that goes another, and then there is rest."""
    async with consuming(service, database) as (_, first, _):
        await eventually("it is there", lambda: have_all(service, first))
        before = first.generation
        async with consuming(service, database) as (_, other, _):
            await eventually("both have a share", lambda: have_all(service, first, other))
        await eventually("it has all again", lambda: have_all(service, first))
        # What is taken is one generation, and what is dealt another.
        assert first.generation - before == 2 * 2
        async with database.transaction() as session:
            await session.execute(text("LOCK TABLE checkpoints IN ACCESS EXCLUSIVE MODE"))
            async with consuming(service, database) as (_, slow, _):
                await eventually("it is dealt partitions that it cannot read yet", lambda: is_dealt(slow))
                generations = first.generation, slow.generation
                await let_pass(heartbeats=4)
                assert (first.generation, slow.generation) == generations
                await session.rollback()
                await eventually("both read", lambda: have_all(service, first, slow))
                assert (first.generation, slow.generation) == generations


async def is_dealt(source) -> bool:
    return bool(source.dealt)
