"""`squad doctor`: each thing that can be wrong with topics and checkpoints is made wrong."""

from datetime import UTC, datetime, timedelta

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import NewTopic, RecordsToDelete

from app import broker, topic_logs
from app.doctor.finding import Verdict
from app.settings import Settings
from consumers import checkpoints
from consumers.records import Partition
from db.database import Database
from tests.acceptance.conftest import send
from tests.acceptance.doctor.finding import find, findings, topic_of
from tests.making import new_id, register_user


@pytest.mark.real_kafka("settings of topics")
@pytest.mark.parametrize(
    ("name", "configs", "verdict", "said"),
    [
        ("commands", {"message.timestamp.type": "CreateTime"}, "fail", "message.timestamp.type is CreateTime"),
        ("commands", {"cleanup.policy": "compact,delete"}, "fail", "cleanup.policy is compact,delete"),
        (
            "commands",
            {"retention.ms": "3600000"},
            "warn",
            "retention.ms is 3600000, but producers may",
        ),
        ("events", {"max.message.bytes": "1000"}, "fail", "max.message.bytes is 1000, less than the relay's 1048576"),
        ("outcomes", {"min.insync.replicas": "2"}, "fail", "min.insync.replicas is 2, which 1 copies in step do not"),
    ],
)
async def test_topics_whose_settings_do_not_fit(
    settings: Settings, name: str, configs: dict[str, str], verdict: str, said: str
) -> None:
    stamped = {"message.timestamp.type": "LogAppendTime"} if name == "commands" else {}
    topic = NewTopic(settings.topic_prefix + name, settings.topic_partitions, 1, topic_configs=stamped | configs)
    async with broker.open_admin(settings) as admin:
        await admin.create_topics([topic])

        found = await find(settings, topic_of(settings, name))

        await admin.delete_topics([topic.name])
    assert found[0] == verdict
    assert said in found[1]


@pytest.mark.real_kafka("topics whose partitions are chosen")
async def test_partitions_that_the_setting_does_not_know_and_those_without_a_checkpoint(
    service: Settings, database: Database
) -> None:
    commands = service.topic("commands")
    async with database.transaction() as session:
        await checkpoints.create(
            session, service.consumer_group, {Partition(commands, 0): 0, Partition(commands, 1): 0}
        )
    other = service.model_copy(update={"topic_partitions": 2})

    found = await findings(other)

    assert found[topic_of(service, "commands")].verdict is Verdict.WARN
    assert "SQUAD_TOPIC_PARTITIONS says 2" in found[topic_of(service, "commands")].found
    assert found["partitions-added"].verdict is Verdict.WARN
    assert "partitions 2 have no checkpoint" in found["partitions-added"].found
    assert "order is not kept" in found["partitions-added"].advice


@pytest.mark.real_kafka("deleting records")
async def test_checkpoints_outside_their_logs_fail(service: Settings, database: Database) -> None:
    await send(service, [register_user(new_id()) for _ in range(20)])
    ends = await topic_logs.end_offsets(service, service.topic("commands"))
    emptied = next(number for number, end in ends.items() if end)
    async with broker.open_admin(service) as admin:
        await admin.delete_records({TopicPartition(service.topic("commands"), emptied): RecordsToDelete(ends[emptied])})
    other = (emptied + 1) % 3
    places = {emptied: 0, other: ends[other] + 7, 9: 4}
    async with database.transaction() as session:
        at = {Partition(service.topic("commands"), number): offset for number, offset in places.items()}
        await checkpoints.create(session, service.consumer_group, at)

    found = await findings(service)

    assert all(found[f"checkpoint {number}"].verdict is Verdict.FAIL for number in places)
    assert f"{ends[emptied]} records are gone unread" in found[f"checkpoint {emptied}"].found
    assert f"but the log ends at {ends[other]}" in found[f"checkpoint {other}"].found
    assert "the topic has 3 partitions" in found["checkpoint 9"].found


@pytest.mark.real_kafka("asking by time")
async def test_a_record_from_the_future_fails(service: Settings) -> None:
    # The test's own stand-in for a broker whose clock is ahead: producers stamp this topic, the doctor thinks it does.
    topic = f"{service.topic_prefix}ahead.commands"
    own = service.model_copy(update={"topic_prefix": f"{service.topic_prefix}ahead.", "accept_producer_time": True})
    await broker.create_topics(own)
    async with broker.open_producer(own) as producer:
        late = datetime.now(UTC) + timedelta(minutes=1)
        await producer.send_and_wait(topic, b"x", timestamp_ms=round(late.timestamp() * 1000))

    verdict, found = await find(own.model_copy(update={"accept_producer_time": False}), "kafka-clock")

    await broker.delete_topics(own)
    assert verdict is Verdict.FAIL
    assert f"{topic} has records from the future" in found
