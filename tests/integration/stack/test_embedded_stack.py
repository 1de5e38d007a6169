"""The embedded stack for real: a mock of Kafka that lives as long as the stack, and says what it is."""

import json
import os
import subprocess
import sys

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

import stack
from app import broker
from app.broker import TopicError
from app.demo.run import NO_KAFKA
from app.settings import Settings
from stack import processes
from stack.local_stack import LocalStack
from stack.mock_kafka import PARTITIONS
from tests.conftest import skip_without_a_real_kafka

ENVIRONMENT = {**os.environ, "SQUAD_STACK": "embedded"}
NAME = f"test-embedded-{os.getpid()}"

DEMO = ("demo", "--commands", "200", "--latency-seconds", "0.2", "--json")


@pytest.fixture(scope="module")
def running():
    with stack.start(name=NAME, environment=ENVIRONMENT) as found:
        yield found


async def test_topics_are_made_on_first_use_and_records_come_back(running):
    settings = Settings(
        kafka_bootstrap_servers=running.bootstrap_servers, topic_partitions=PARTITIONS, accept_producer_time=True
    )
    assert await broker.create_topics(settings) == []
    assert set((await broker.check_topics(settings)).values()) == {PARTITIONS}
    topic = settings.topic("commands")

    async with AIOKafkaProducer(bootstrap_servers=running.bootstrap_servers, enable_idempotence=True) as producer:
        await producer.send_and_wait(topic, b"x", key=b"k", headers=[("a", b"b")])
    async with AIOKafkaConsumer(
        topic, bootstrap_servers=running.bootstrap_servers, auto_offset_reset="earliest"
    ) as consumer:
        record = await consumer.getone()

    assert (record.key, record.value, record.headers) == (b"k", b"x", (("a", b"b"),))
    await broker.delete_topics(settings)


async def test_topics_that_the_broker_has_to_stamp_are_refused_with_what_to_set(running):
    settings = Settings(kafka_bootstrap_servers=running.bootstrap_servers)

    with pytest.raises(TopicError, match="SQUAD_ACCEPT_PRODUCER_TIME to true"):
        await broker.create_topics(settings)


def test_it_says_that_it_is_no_kafka(running):
    assert running.kind == "embedded"
    assert "not a real Kafka" in running.description


def test_the_mock_ends_with_its_run():
    with stack.start(name=f"{NAME}-second", environment=ENVIRONMENT) as second:
        assert isinstance(second, LocalStack)
        assert set(second.pids) == {"postgres", "kafka"}
        mock = processes.identify(second.pids["kafka"])

    assert mock is not None
    assert not processes.is_alive(mock)


def test_its_demo_passes_and_says_that_there_was_no_kafka():
    demo = subprocess.run(
        [sys.executable, "-c", "from app.cli.main import main; main()", *DEMO],
        env={**ENVIRONMENT, "COLUMNS": "400"},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )

    assert demo.returncode == 0, demo.stderr
    assert json.loads(demo.stdout)["verdict"] == "PASS"
    assert NO_KAFKA in demo.stderr


def test_tests_that_need_a_real_kafka_are_skipped_with_the_reason(running):
    with pytest.raises(
        pytest.skip.Exception, match=r"needs a real Kafka, for thunder: embedded stack: .*not a real Kafka"
    ):
        skip_without_a_real_kafka(running, "thunder")
