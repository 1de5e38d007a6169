"""Publishing to a real Kafka, broken off: no answer, no broker, relays that die or lose their lease meanwhile."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiokafka.errors import KafkaTimeoutError

from db.database import Database
from outbox.lease import Lease
from outbox.publisher import KafkaPublisher
from outbox.refused import Refused
from outbox.relay import Relay
from outbox.settling import Publisher
from outbox.wire import Record
from tests.reading import BuildPublisher, read_topic, sequences
from tests.relaying import DisturbedError, fetch_rows, leading_relay, write_rows

TopicFactory = Callable[..., Awaitable[str]]


@dataclass(slots=True)
class DyingPublisher:
    """Publishes, and dies before anybody learns of it."""

    publisher: Publisher

    async def publish(self, records: Sequence[Record], *, once: bool = False) -> Sequence[Refused]:
        await self.publisher.publish(records, once=once)
        raise DisturbedError

    async def close(self) -> None:
        await self.publisher.close()


async def test_relay_that_dies_between_kafka_and_its_cursor_repeats_the_same(
    database: Database, bootstrap_servers: str, topic_factory: TopicFactory, build_publisher: BuildPublisher
) -> None:
    topic = await topic_factory(partitions=3)
    for key in ("a", "b", "c"):
        await write_rows(database, key, range(1, 11), topic=topic)
    publisher = build_publisher()
    async with leading_relay(database, DyingPublisher(publisher), page_rows=8) as relay:
        with pytest.raises(DisturbedError):
            await relay.relay_batch()
    async with leading_relay(database, publisher, page_rows=8) as relay:
        assert await relay.pass_once() == 30

    records = await read_topic(bootstrap_servers, topic)
    assert len(records) == 38
    assert len({(record.key, record.value, tuple(record.headers)) for record in records}) == 30
    for key in ("a", "b", "c"):
        assert list(dict.fromkeys(sequences(records, key))) == list(range(1, 11))


async def test_batch_without_an_answer_in_time_is_sent_again(
    database: Database, bootstrap_servers: str, topic_factory: TopicFactory, build_publisher: BuildPublisher
) -> None:
    """The first batch's connection swallows the answer, which only the deadline ends."""
    topic = await topic_factory(partitions=1)
    await write_rows(database, "a", [1, 2, 3], topic=topic)
    publisher = build_publisher(batch_timeout_seconds=1.0)
    async with leading_relay(database, publisher) as relay:
        main = await publisher._sending.open_main()
        never: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        main.client.send = lambda *_, **__: never
        assert await relay.pass_once() == 3
        assert publisher._sending.main is not main

    assert sequences(await read_topic(bootstrap_servers, topic, 1), "a") == [1, 2, 3]


def make_flaky(publisher: KafkaPublisher, chance: random.Random) -> None:
    """Let half of what it sends fail, so that nobody knows whether it arrived."""
    send = publisher._sending.send

    async def send_perhaps(*what: Any, **settings: Any) -> None:
        if chance.random() < 0.3:
            raise KafkaTimeoutError
        await send(*what, **settings)
        if chance.random() < 0.3:
            raise TimeoutError

    publisher._sending.send = send_perhaps  # type: ignore[method-assign] # in the place of its own


@pytest.mark.real_kafka("answers to a producer whose connection was cut")
async def test_unknown_errors_are_tried_again_and_keep_the_order_of_first_occurrences(
    database: Database, bootstrap_servers: str, topic_factory: TopicFactory
) -> None:
    topic = await topic_factory(partitions=2)
    for first in range(1, 41, 10):
        for key in ("a", "b", "c"):
            await write_rows(database, key, range(first, first + 10), topic=topic)
    client = {"bootstrap_servers": bootstrap_servers}
    publisher = KafkaPublisher(client=client, backoff_first_seconds=0.001, backoff_most_seconds=0.002)
    make_flaky(publisher, random.Random(3))
    async with leading_relay(database, publisher, page_rows=10) as relay:
        assert await relay.pass_once() == 120
    await publisher.close()

    records = await read_topic(bootstrap_servers, topic, 2)
    assert len(records) > 120
    for key in ("a", "b", "c"):
        assert list(dict.fromkeys(sequences(records, key))) == list(range(1, 41))


async def test_publisher_without_a_broker_tries_again_until_it_is_cancelled() -> None:
    tries: asyncio.Queue[None] = asyncio.Queue()

    def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tries.put_nowait(None)
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        client = {"bootstrap_servers": f"127.0.0.1:{server.sockets[0].getsockname()[1]}"}
        publisher = KafkaPublisher(client=client, backoff_most_seconds=0.01)
        record = Record(1, "topic", b"a", b"", row=[None] * 18)
        waiting = asyncio.ensure_future(publisher.publish([record]))
        async with asyncio.timeout(20):
            for _ in range(3):
                await tries.get()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await publisher.close()


@dataclass(slots=True)
class SlowPublisher:
    """Publishes, and then has the answer held up until it may go on."""

    publisher: Publisher
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def publish(self, records: Sequence[Record], *, once: bool = False) -> Sequence[Refused]:
        refused = await self.publisher.publish(records, once=once)
        self.reached.set()
        await self.go_on.wait()
        return refused

    async def close(self) -> None:
        await self.publisher.close()


@pytest.mark.real_kafka("topics whose partitions are chosen")
@pytest.mark.parametrize("renew_seconds", [0.02, 60], ids=["noticed-while-sending", "noticed-at-the-cursor"])
async def test_lease_lost_while_sending_costs_a_page_sent_again_and_nothing_else(
    database: Database,
    bootstrap_servers: str,
    topic_factory: TopicFactory,
    build_publisher: BuildPublisher,
    renew_seconds: float,
) -> None:
    topic = await topic_factory(partitions=2)
    for key in ("a", "b", "c"):
        await write_rows(database, key, range(1, 11), topic=topic)
    slow = SlowPublisher(build_publisher())
    lease = Lease(database=database, name="relay-0", ttl_seconds=120, renew_seconds=renew_seconds)
    overtaken = Relay(database=database, publisher=slow, lease=lease, page_rows=8)
    async with asyncio.TaskGroup() as group, asyncio.timeout(30):
        running = group.create_task(overtaken.run_while_leading())
        await slow.reached.wait()
        # Its time is over, as the database sees it, and another is faster than its renewal.
        async with leading_relay(database, build_publisher(), page_rows=8) as successor:
            assert await successor.relay_batch() == 8
            taken = await fetch_rows(database, "SELECT position, epoch FROM relay_cursors")
            if renew_seconds == 60:
                slow.go_on.set()
            await running
            assert await fetch_rows(database, "SELECT position, epoch FROM relay_cursors") == taken
            assert await successor.pass_once() == 22

    records = await read_topic(bootstrap_servers, topic, 2)
    assert len(records) == 30 + 8
    for key in ("a", "b", "c"):
        assert list(dict.fromkeys(sequences(records, key))) == list(range(1, 11))


async def test_interrupted_publisher_sends_nothing_afterwards(
    database: Database, bootstrap_servers: str, topic_factory: TopicFactory, build_publisher: BuildPublisher
) -> None:
    topic = await topic_factory(partitions=1)
    await write_rows(database, "a", [1, 2, 3], topic=topic)
    publisher = build_publisher()
    main = await publisher._sending.open_main()
    send, held_up, go_on = main.client.send, asyncio.Event(), asyncio.Event()

    async def hold_up(*what: Any, **settings: Any) -> Any:
        held_up.set()
        await go_on.wait()
        return await send(*what, **settings)

    main.client.send = hold_up
    async with leading_relay(database, publisher) as relay:
        interrupted = asyncio.ensure_future(relay.relay_batch())
        await held_up.wait()
        interrupted.cancel()
        with pytest.raises(asyncio.CancelledError):
            await interrupted
        assert publisher._sending.main is None
        assert main._sender.sender_task.done()
        go_on.set()
        assert await relay.relay_batch() == 3

    assert sequences(await read_topic(bootstrap_servers, topic, 1), "a") == [1, 2, 3]
