"""Topics of a real Kafka that take nothing: missing, or with too few copies in step; others go on meanwhile."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any
from uuid import uuid4

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    BrokerResponseError,
    InvalidProducerEpoch,
    NotEnoughReplicasAfterAppendError,
    OutOfOrderSequenceNumber,
    UnknownProducerId,
)
from aiokafka.producer.sender import SendProduceReqHandler

from db.database import Database
from outbox.relay import Relay
from outbox.tally import Tally
from tests.reading import BuildPublisher, read_topic, sequences
from tests.relaying import fetch_rows, leading_relay, write_rows

TopicFactory = Callable[..., Awaitable[str]]


@asynccontextmanager
async def administering(bootstrap_servers: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def relay_until_nothing_waits(relay: Relay, database: Database) -> None:
    deadline = monotonic() + 30
    while await fetch_rows(database, "SELECT 1 FROM held"):
        assert monotonic() < deadline
        await relay.relay_batch()


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Give the lines about places, without what differs from run to run."""
    lines = [each.message for each in caplog.records if each.message.startswith("kafka takes")]
    return [line.partition(" since=")[0].partition(" after_seconds=")[0] for line in lines]


@pytest.mark.real_kafka("topics that do not exist")
async def test_missing_topic_lets_others_go_on_and_is_gone_on_with_once_it_is_made(
    database: Database,
    bootstrap_servers: str,
    topic_factory: TopicFactory,
    build_publisher: BuildPublisher,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "squad.relay")
    other, missing = await topic_factory(partitions=1), f"missing-{uuid4()}"
    await write_rows(database, "a", [1, 2], topic=missing)
    await write_rows(database, "a", [1], topic=other)
    publisher = build_publisher(patience_seconds=0.2, backoff_most_seconds=0.05)
    async with administering(bootstrap_servers) as admin:
        async with leading_relay(database, publisher) as relay:
            assert await relay.relay_batch() == 3
            await write_rows(database, "a", [3], topic=missing)
            await write_rows(database, "a", [2], topic=other)
            while sequences(await read_topic(bootstrap_servers, other, 1), "a") != [1, 2]:
                await relay.relay_batch()
            shown = publisher.troubles.describe()[missing]
            assert (shown["error"], shown["rows_wait"]) == ("UNKNOWN_TOPIC_OR_PARTITION", True)
            await admin.create_topics([NewTopic(missing, 1, 1)])
            await relay_until_nothing_waits(relay, database)
            await write_rows(database, "a", [4], topic=missing)
            await relay.pass_once()
        assert sequences(await read_topic(bootstrap_servers, missing, 1), "a") == [1, 2, 3, 4]
        await admin.delete_topics([missing])
    assert publisher.troubles.describe() == {}
    assert said(caplog) == [
        f"kafka takes nothing place={missing} error=UNKNOWN_TOPIC_OR_PARTITION",
        f"kafka takes rows again place={missing}",
    ]


@pytest.mark.parametrize("error", [OutOfOrderSequenceNumber, InvalidProducerEpoch, UnknownProducerId])
async def test_producer_that_can_go_on_no_more_is_renewed_and_loses_nothing(
    database: Database,
    bootstrap_servers: str,
    topic_factory: TopicFactory,
    build_publisher: BuildPublisher,
    monkeypatch: pytest.MonkeyPatch,
    error: type[BrokerResponseError],
) -> None:
    """The broker's first answer is changed into one that ends the producer; whether it has the rows nobody knows."""
    topic = await topic_factory(partitions=1)
    handle, changed = SendProduceReqHandler.handle_response, [False]

    def answer(self: SendProduceReqHandler, response: Any) -> None:
        if not changed[0]:
            changed[0] = True
            for _, partitions in response.topics:
                partitions[:] = [(number, error.errno, *rest) for number, _, *rest in partitions]
        handle(self, response)

    monkeypatch.setattr(SendProduceReqHandler, "handle_response", answer)
    await write_rows(database, "a", range(1, 11), topic=topic)
    tally = Tally()
    publisher = build_publisher(tally=tally)
    async with leading_relay(database, publisher) as relay:
        await relay.pass_once()
        await write_rows(database, "a", [11], topic=topic)
        await relay.pass_once()

    found = sequences(await read_topic(bootstrap_servers, topic, 1), "a")
    assert list(dict.fromkeys(found)) == list(range(1, 12))
    assert tally.producers == 3, "the spent one, the one for single rows, the new one"
    assert publisher.troubles.describe() == {}


async def test_partition_whose_copies_are_not_in_step_is_named_and_lets_others_go_on(
    database: Database,
    bootstrap_servers: str,
    topic_factory: TopicFactory,
    build_publisher: BuildPublisher,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One broker alone never says so; so what it answers is changed. Runs with three brokers are in tests/faults."""
    caplog.set_level(logging.INFO, "squad.relay")
    other, lonely = await topic_factory(partitions=1), await topic_factory(partitions=1)
    handle, answers = SendProduceReqHandler.handle_response, [0]

    def answer(self: SendProduceReqHandler, response: Any) -> None:
        for topic, partitions in response.topics:
            if topic == lonely:
                answers[0] += 1
                partitions[:] = [
                    (number, NotEnoughReplicasAfterAppendError.errno, *rest) for number, _, *rest in partitions
                ]
        handle(self, response)

    monkeypatch.setattr(SendProduceReqHandler, "handle_response", answer)
    await write_rows(database, "a", range(1, 31), topic=lonely)
    await write_rows(database, "a", [1], topic=other)
    publisher = build_publisher(patience_seconds=0.3, backoff_most_seconds=0.05)
    async with leading_relay(database, publisher, page_rows=20) as relay:
        while not sequences(await read_topic(bootstrap_servers, other, 1), "a"):
            await relay.relay_batch()
        shown = publisher.troubles.describe()[f"{lonely}[0]"]
        assert (shown["error"], shown["rows_wait"]) == ("NOT_ENOUGH_REPLICAS_AFTER_APPEND", True)
        assert answers[0] > 3
        monkeypatch.undo()
        await relay_until_nothing_waits(relay, database)
        await write_rows(database, "a", [31], topic=lonely)
        await relay.pass_once()

    assert list(dict.fromkeys(sequences(await read_topic(bootstrap_servers, lonely, 1), "a"))) == list(range(1, 32))
    assert said(caplog) == [
        f"kafka takes nothing place={lonely}[0] error=NOT_ENOUGH_REPLICAS_AFTER_APPEND",
        f"kafka takes rows again place={lonely}[0]",
    ]
