"""A Kafka producer that stands still is given up, and publishing goes on: every wait for it ends."""

import asyncio

import pytest
from aiokafka import AIOKafkaProducer

from db.database import Database
from outbox.publisher import KafkaPublisher
from tests.conftest import TopicFactory
from tests.reading import read_topic, sequences
from tests.relaying import leading_relay, write_rows


def end_sender(producer: AIOKafkaProducer) -> None:
    producer._sender.sender_task.cancel()


def send_nowhere(producer: AIOKafkaProducer) -> None:
    """All of its tasks live, but no request of it is ever answered."""
    producer.client.send = lambda *_, **__: asyncio.get_running_loop().create_future()


def lose_leaders(producer: AIOKafkaProducer) -> None:
    """What asks for topics and leaders has ended, while a leader was not known."""
    producer.client._sync_task.cancel()
    producer.client.cluster.leader_for_partition = lambda _: None


@pytest.mark.parametrize("wedge", [end_sender, send_nowhere, lose_leaders])
async def test_wedged_producer_is_given_up_and_its_rows_are_published(
    database: Database, bootstrap_servers: str, topic_factory: TopicFactory, caplog: pytest.LogCaptureFixture, wedge
) -> None:
    topic = await topic_factory(partitions=1)
    publisher = KafkaPublisher(
        client={"bootstrap_servers": bootstrap_servers}, batch_timeout_seconds=0.3, backoff_first_seconds=0.01
    )
    async with leading_relay(database, publisher) as relay, asyncio.timeout(20):
        await write_rows(database, "a", [1], topic=topic)
        assert await relay.relay_batch() == 1
        assert publisher._sending.main is not None
        wedge(publisher._sending.main)
        await write_rows(database, "a", [2, 3], topic=topic)
        assert await relay.relay_batch() == 2
        assert_told(caplog, times=1)
        # They went one by one, by a second producer, which may wedge as well.
        assert publisher._sending.single is not None
        wedge(publisher._sending.single)
        wedge(await publisher._sending.open_main())
        await write_rows(database, "a", [4], topic=topic)
        assert await relay.relay_batch() == 1
        # Two producers stood still, and it was one state; the first one was over.
        assert_told(caplog, times=2)
    await publisher.close()
    assert list(dict.fromkeys(sequences(await read_topic(bootstrap_servers, topic, 1), "a"))) == [1, 2, 3, 4]


def assert_told(caplog: pytest.LogCaptureFixture, *, times: int) -> None:
    """The stacks of all tasks are in the log so many times, those of the client's own among them."""
    told = [record.getMessage() for record in caplog.records if "producer does not answer" in record.getMessage()]
    assert len(told) == times
    assert all("AIOKafkaConnection._read" in text for text in told)
