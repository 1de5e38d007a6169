"""The relay with a real Kafka: order, refusals, failed batches, and deaths between Kafka and the cursor."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiokafka.errors import KafkaTimeoutError
from aiokafka.partitioner import DefaultPartitioner

from db.database import Database
from messages.keys import partition_of
from outbox import hold_requests
from outbox.lease import Lease
from outbox.publisher import KafkaPublisher
from outbox.refused import Refused
from outbox.relay import Relay
from outbox.settling import Publisher, RefusalPolicy
from outbox.wire import Record
from tests.reading import BuildPublisher, read_topic, sequences
from tests.relaying import DisturbedError, append_rows, fetch_rows, leading_relay, write_rows

TopicFactory = Callable[..., Awaitable[str]]


@pytest.mark.real_kafka("topics whose partitions are chosen")
async def test_records_arrive_in_order_in_the_partition_of_their_key(
    database: Database, bootstrap_servers: str, topic_factory: TopicFactory, build_publisher: BuildPublisher
) -> None:
    topic = await topic_factory(partitions=3)
    keys = [f"key-{number}" for number in range(10)]
    for first in range(1, 201, 20):
        for key in keys:
            await write_rows(database, key, range(first, first + 20), topic=topic)
    # Small batches: several for a partition in each page.
    async with leading_relay(database, build_publisher(batch_bytes=4096), page_rows=700) as relay:
        assert await relay.pass_once() == 2000

    records = await read_topic(bootstrap_servers, topic)
    assert {key: sequences(records, key) for key in keys} == {key: list(range(1, 201)) for key in keys}
    partitioner = DefaultPartitioner()
    assert all(record.partition == partitioner(record.key, [0, 1, 2], [0, 1, 2]) for record in records)
    assert dict(records[0].headers)["ce_type"] == b"squad.task-created.v1"


async def test_too_large_row_holds_its_key_and_nothing_else(
    database: Database, bootstrap_servers: str, topic_factory: TopicFactory, build_publisher: BuildPublisher
) -> None:
    topic = await topic_factory(partitions=3)
    beside = next(key for key in "abcdef" if partition_of(key.encode(), 3) == partition_of(b"culprit", 3))
    async with database.transaction() as session:
        await append_rows(session, "culprit", [1, 2], topic=topic)
        await append_rows(session, "culprit", [3], topic=topic, body_bytes=5000)
        await append_rows(session, beside, [1], topic=topic)
        await append_rows(session, "culprit", [4], topic=topic)
        await append_rows(session, None, [1], topic=topic, body_bytes=5000)
        await append_rows(session, beside, [2], topic=topic)
        await append_rows(session, None, [2], topic=topic)
    publisher = build_publisher(batch_bytes=4096)
    async with leading_relay(database, publisher) as relay:
        await publisher._sending.open_main()
        main = publisher._sending.main
        assert await relay.pass_once() == 8
        assert publisher._sending.main is main

    records = await read_topic(bootstrap_servers, topic)
    assert sequences(records, "culprit") == [1, 2]
    assert sequences(records, beside) == [1, 2]
    assert [int(dict(record.headers)["ce_sequence"]) for record in records if record.key is None] == [2]
    held = await fetch_rows(database, "SELECT key, reason FROM held ORDER BY position")
    assert [(row.key, row.reason.split()[0]) for row in held] == [
        (b"culprit", "larger"),
        (b"culprit", "behind"),
        (None, "larger"),
    ]


@pytest.mark.real_kafka("settings of topics")
async def test_row_that_only_the_broker_finds_too_large_is_refused_too(
    database: Database, bootstrap_servers: str, topic_factory: TopicFactory, build_publisher: BuildPublisher
) -> None:
    topic = await topic_factory(partitions=1, max_message_bytes="3000")
    async with database.transaction() as session:
        await append_rows(session, "a", [1, 2], topic=topic)
        await append_rows(session, "a", [3], topic=topic, body_bytes=5000)
        await append_rows(session, "a", [4], topic=topic)
        await append_rows(session, "b", [1, 2], topic=topic)
    publisher = build_publisher()
    async with leading_relay(database, publisher) as relay:
        await publisher._sending.open_main()
        main = publisher._sending.main
        assert await relay.relay_batch() == 6
        # A failed batch burns the producer's numbers: it is given up, and the next page has another.
        assert publisher._sending.main is None
        await write_rows(database, "b", [3], topic=topic)
        await write_rows(database, "a", [5], topic=topic)
        assert await relay.relay_batch() == 2
        assert publisher._sending.main not in (None, main)

    records = await read_topic(bootstrap_servers, topic, 1)
    assert (sequences(records, "a"), sequences(records, "b")) == ([1, 2], [1, 2, 3])
    held = await fetch_rows(database, "SELECT key, reason FROM held ORDER BY position")
    assert ["MessageSizeTooLarge" in row.reason for row in held] == [True, False, False]


@pytest.mark.real_kafka("settings of topics")
async def test_record_that_the_broker_calls_invalid_is_refused(
    database: Database, topic_factory: TopicFactory, build_publisher: BuildPublisher
) -> None:
    topic = await topic_factory(partitions=1, cleanup_policy="compact")
    await write_rows(database, None, [1], topic=topic)
    async with leading_relay(database, build_publisher()) as relay:
        assert await relay.relay_batch() == 1
    (held,) = await fetch_rows(database, "SELECT reason FROM held")
    assert "InvalidRecord" in held.reason


async def test_held_rows_are_published_in_order_once_kafka_would_take_them(
    database: Database, bootstrap_servers: str, topic_factory: TopicFactory, build_publisher: BuildPublisher
) -> None:
    topic = await topic_factory(partitions=1)
    await write_rows(database, "a", [1], topic=topic, body_bytes=5000)
    await write_rows(database, "a", [2, 3], topic=topic)
    async with leading_relay(database, build_publisher(batch_bytes=4096)) as relay:
        assert await relay.relay_batch() == 3
        async with database.transaction() as session:
            position = await hold_requests.find_position(session, topic=topic, key=b"a")
            assert await hold_requests.request_release(session, position=position, reason="try") == 3
        assert await relay.relay_batch() == 3
    assert await read_topic(bootstrap_servers, topic, 1) == []

    async with database.transaction() as session:
        await hold_requests.request_release(session, position=position, reason="the limit is higher now")
    async with leading_relay(database, build_publisher()) as relay:
        await write_rows(database, "a", [4], topic=topic)
        assert await relay.relay_batch() == 4
    assert sequences(await read_topic(bootstrap_servers, topic, 1), "a") == [1, 2, 3, 4]
    assert await fetch_rows(database, "SELECT 1 FROM held") == []


async def test_refused_row_is_diverted_to_the_dead_letters_and_its_key_goes_on(
    database: Database, bootstrap_servers: str, topic_factory: TopicFactory, build_publisher: BuildPublisher
) -> None:
    topic, letters = await topic_factory(partitions=1), await topic_factory(partitions=1)
    await write_rows(database, "a", [1], topic=topic)
    await write_rows(database, "a", [2], topic=topic, body_bytes=5000)
    await write_rows(database, "a", [3], topic=topic)
    policy = RefusalPolicy(way="divert", dead_letters_topic=letters, dead_letter_bytes=3000)
    async with leading_relay(database, build_publisher(batch_bytes=4096), refusals=policy) as relay:
        assert await relay.relay_batch() == 3

    assert sequences(await read_topic(bootstrap_servers, topic, 1), "a") == [1, 3]
    (letter,) = await read_topic(bootstrap_servers, letters, 1)
    headers = dict(letter.headers)
    assert (headers["dead-letter-reason"], headers["dead-letter-topic"]) == (b"refused-by-kafka", topic.encode())
    assert (headers["ce_sequence"], headers["dead-letter-cut-from-bytes"]) == (b"0000000000000000002", b"5000")
    assert letter.key == b"a"
    assert letter.value is not None
    assert len(letter.value) < 3000
    assert await fetch_rows(database, "SELECT 1 FROM held") == []
    (note,) = await fetch_rows(database, "SELECT action, target FROM audit")
    assert (note.action, note.target) == ("relay diverted", f"outbox/{headers['dead-letter-position'].decode()}")


async def test_rows_of_a_refused_batch_go_one_by_one_and_later_ones_in_batches_again(
    database: Database, bootstrap_servers: str, topic_factory: TopicFactory, build_publisher: BuildPublisher
) -> None:
    topic = await topic_factory(partitions=1, max_message_bytes="3000")
    await write_rows(database, "a", range(1, 51), topic=topic)
    async with leading_relay(database, build_publisher()) as relay:
        assert await relay.pass_once() == 50
        for number in (51, 52):
            await write_rows(database, "a", [number], topic=topic)
            assert await relay.pass_once() == 1

    assert sequences(await read_topic(bootstrap_servers, topic, 1), "a") == list(range(1, 53))


async def test_producer_is_renewed_after_so_many_records(
    database: Database, bootstrap_servers: str, topic_factory: TopicFactory, build_publisher: BuildPublisher
) -> None:
    topic = await topic_factory(partitions=1)
    await write_rows(database, "a", range(1, 41), topic=topic)
    publisher = build_publisher(records_per_producer=10)
    producers = set()
    async with leading_relay(database, publisher, page_rows=4) as relay:
        while await relay.relay_batch():
            producers.add(publisher._sending.main)

    assert len(producers) == 4
    assert sequences(await read_topic(bootstrap_servers, topic, 1), "a") == list(range(1, 41))


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
        await publisher._sending.open_main()
        main = publisher._sending.main
        assert main is not None
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
    await publisher._sending.open_main()
    main = publisher._sending.main
    assert main is not None
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
