"""The relay with a real Kafka: order, refusals, failed batches, and producers that are renewed."""

from collections.abc import Awaitable, Callable

import pytest
from aiokafka.partitioner import DefaultPartitioner

from db.database import Database
from messages.keys import partition_of
from outbox import hold_requests
from outbox.settling import RefusalPolicy
from tests.reading import BuildPublisher, read_topic, sequences
from tests.relaying import append_rows, fetch_rows, leading_relay, write_rows

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
        main = await publisher._sending.open_main()
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
        main = await publisher._sending.open_main()
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
