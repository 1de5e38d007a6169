"""A Kafka client that stands still is replaced, without a human; one that has nothing to give is left alone."""

import asyncio
import logging
from contextlib import asynccontextmanager

import pytest
from aiokafka.errors import KafkaError
from sqlalchemy import text

from app import wiring
from consumers.consumer import Consumer
from db.controls import Pauses
from tests import making
from tests.acceptance.conftest import eventually, send
from tests.acceptance.test_consuming import assert_one_effect_each, decided
from tests.acceptance.test_source import producing, send_by
from tests.acceptance.test_undecodable import of_partition

IMPATIENT = {"consumer_stall_seconds": 1.0, "consumer_stop_seconds": 0.5}


@asynccontextmanager
async def consuming(settings, database):
    """Run an impatient consumer inside the test."""
    own = settings.model_copy(update=IMPATIENT)
    source = wiring.build_source(own, database)
    consumer = Consumer(source=source, processor=wiring.build_processor(own, database), lanes=own.lanes)
    task = asyncio.create_task(consumer.run())
    try:
        yield source
    finally:
        consumer.stop()
        await task


def fetcher(client):
    return client._fetcher._fetch_task


def coordinator(client):
    return client._coordinator._coordination_task


def heart(client):
    return client._coordinator._heartbeat_task


def stop_fetching(client) -> None:
    """Wedge the client with all of its tasks alive: every broker counts as one that has a request under way."""
    client._fetcher._in_flight = Everything()


class Everything(set[int]):
    def __contains__(self, _: object) -> bool:
        return True


def cancel_a_poll(client) -> None:
    """Cancel one while it asks, as the client does when the request that it waits for is cancelled."""
    asking = [task for task in asyncio.all_tasks() if {"getmany", "poll_once"} <= set(under_way(task))]
    asking[0].cancel()


def under_way(task):
    """Give the names of the coroutines that a task waits for, the outermost first."""
    waiting = task.get_coro()
    while getattr(waiting, "cr_frame", None) is not None:
        yield waiting.cr_code.co_name
        waiting = waiting.cr_await


def have_a_poll_raise(client) -> None:
    """Have the next poll raise inside the client, which from then on believes that somebody polls."""
    fetched_records = client._fetcher.fetched_records

    async def raise_once(*_, **__):
        client._fetcher.fetched_records = fetched_records
        raise KafkaError("tests")

    client._fetcher.fetched_records = raise_once


def end(which):
    def wedge(client) -> None:
        which(client).cancel()

    return wedge


async def is_well_again(source) -> bool:
    return source.rebuilds == 1 and source.trouble is None and source.is_member


@pytest.mark.parametrize(
    ("wedge", "why"),
    [
        pytest.param(end(fetcher), "the client's fetcher has ended", id="fetcher"),
        pytest.param(end(coordinator), "the client's coordinator has ended", id="coordinator"),
        pytest.param(end(heart), "the client's heartbeat has ended", id="heartbeat"),
        pytest.param(stop_fetching, "nothing is heard of", id="nothing is fetched"),
        pytest.param(cancel_a_poll, "a reader was cancelled", id="a poll cancelled"),
    ],
)
async def test_wedged_client_is_replaced_and_consuming_goes_on(service, database, caplog, wedge, why):
    async with consuming(service, database) as source:
        await send(service, [making.register_user() for _ in range(20)])
        await eventually("it works", lambda: decided(database, 20))
        with caplog.at_level(logging.INFO, "squad.source"):
            wedge(source._succession.member.consumer)
            await eventually("it is replaced", lambda: is_well_again(source))
        [told] = [record.getMessage() for record in caplog.records if "stands still" in record.getMessage()]
        assert f"stands still: {why}" in told
        assert "AIOKafkaConnection._read" in told, "the stacks of all tasks"
        await send(service, [making.register_user() for _ in range(20)])
        await eventually("the rest is decided", lambda: decided(database, 40))
        assert (source.rebuilds, source.stopped) == (1, {})
    await assert_one_effect_each(database, 40)


async def test_poll_that_raised_switches_no_watching_off(service, database):
    """The client's own limit between polls is off from then on; what is wedged afterwards is noticed all the same."""
    async with consuming(service, database) as source:
        await send(service, [making.register_user() for _ in range(20)])
        await eventually("it works", lambda: decided(database, 20))
        client = source._succession.member.consumer
        have_a_poll_raise(client)
        await send(service, [making.register_user() for _ in range(20)])
        await eventually("it reads on", lambda: decided(database, 40))
        assert client._subscription._fetch_count == len(source._succession.member.polling.asked_at) + 1, "it is off"
        assert source.rebuilds == 0
        stop_fetching(client)
        await eventually("it is replaced", lambda: is_well_again(source))
        await send(service, [making.register_user() for _ in range(20)])
        await eventually("the rest is decided", lambda: decided(database, 60))
    await assert_one_effect_each(database, 60)


@pytest.mark.real_kafka("transactions")
async def test_client_that_has_nothing_to_give_is_left_alone(service, database):
    """Open and aborted transactions of a producer, a paused partition, a batch that takes long, and silence."""
    topic = service.topic("commands")
    async with producing(service, transactional_id=f"{service.consumer_group}-producer") as producer:
        await producer.begin_transaction()
        await send_by(producer, service, of_partition(0, 5))
        await producer.abort_transaction()
        async with consuming(service, database) as source, database.transaction() as session:
            source.pause(Pauses({f"{topic}[1]": "to try"}))
            await send(service, of_partition(1, 3))
            await producer.begin_transaction()
            await send_by(producer, service, of_partition(0, 5))
            await session.execute(text("LOCK TABLE inbox IN ACCESS EXCLUSIVE MODE"))
            await send(service, of_partition(2, 3))
            generation = source.generation
            # Twice as long as a client may stand still here: only time shows that it is left alone.
            await asyncio.sleep(2.2)
            assert (source.rebuilds, source.generation) == (0, generation)
            await session.rollback()
            await producer.commit_transaction()
            await eventually("what was not paused is decided", lambda: decided(database, 8))
