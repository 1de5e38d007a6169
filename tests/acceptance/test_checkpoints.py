"""A checkpoint beside a log that is not the one it was made in: nothing is skipped silently, and there is a way on."""

import asyncio
import json
import re
from collections import Counter

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import NewPartitions, NewTopic
from aiokafka.admin.records_to_delete import RecordsToDelete
from sqlalchemy import text
from typer.testing import CliRunner

from app import broker, topic_logs
from app import checkpoints as operated
from app.cli.main import app
from consumers import kafka_client
from consumers.adoption import Adoption
from consumers.assignment import Assignment
from consumers.comparison import LastRecords
from consumers.records import Partition
from tests import making
from tests.acceptance.conftest import environment, eventually, running, send
from tests.acceptance.test_consuming import assert_one_effect_each, consuming, decided, rows
from tests.acceptance.test_undecodable import of_partition

pytestmark = pytest.mark.real_kafka("topics that are made, deleted and made again, and records that are deleted")


async def make_anew(settings) -> None:
    """Delete the topic of the commands and make it again."""
    name = settings.topic("commands")
    async with broker.open_admin(settings) as admin:
        await admin.delete_topics([name])

        async def is_gone() -> bool:
            return name not in await admin.list_topics()

        await eventually("the topic is gone", is_gone)
        topic = NewTopic(name, settings.topic_partitions, 1, topic_configs={broker.TIME_STAMPS: "LogAppendTime"})

        async def is_made() -> bool:
            return (await admin.create_topics([topic])).topic_errors[0][1] == 0

        await eventually("the topic is made anew", is_made)


async def stopped(source, *numbers: int) -> bool:
    return {each.number for each in source.stopped} == set(numbers)


async def checkpoints_of(database) -> dict[int, int]:
    return dict(await rows(database, "SELECT partition, next_offset FROM checkpoints"))


async def accept(settings, *numbers: int, to: str) -> None:
    moves = operated.plan(await operated.fetch(settings), numbers, everything=not numbers, to=to)
    await operated.accept(settings, moves, reason="tests")


async def apply(settings, database, number: int, count: int) -> None:
    """Let a consumer apply commands of one partition, and end it."""
    await send(settings, of_partition(number, count))
    await consume(settings, database, count)


async def consume(settings, database, count: int) -> None:
    """Let a consumer apply what there is to apply, and nothing a second time."""
    [(before,)] = await rows(database, "SELECT count(*) FROM inbox")
    async with consuming(settings, database) as (consumer, _):
        await eventually("all are decided", lambda: decided(database, before + count))
    assert consumer.counts == Counter({"applied": count, "event": count, "outcome": count})


async def set_groups_offset(settings, number: int, offset: int) -> None:
    """Do what `kafka-consumer-groups --reset-offsets` does."""
    tool = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap_servers, group_id=settings.consumer_group, enable_auto_commit=False
    )
    await tool.start()
    tool.assign([TopicPartition(settings.topic("commands"), number)])
    await tool.commit({TopicPartition(settings.topic("commands"), number): offset})
    await tool.stop()


async def test_topic_made_anew_with_more_records_stops_until_it_is_accepted(service, database):
    """The consumer that stopped goes on without being started again, when an operator says from where."""
    await apply(service, database, 1, 10)
    await make_anew(service)
    await send(service, of_partition(1, 25))

    async with consuming(service, database) as (_, source):
        await eventually("it is noticed", lambda: stopped(source, 1))
        why = source.stopped[Partition(service.topic("commands"), 1)]
        assert why.startswith(
            "the record at offset 9 is not the one that was applied last: if the topic was made anew,"
        )
        assert "10 of its 25 records lie before the checkpoint 10 and would never be applied" in why
        assert await checkpoints_of(database) == {0: 0, 1: 10, 2: 0}
        await accept(service, 1, to="earliest")
        await eventually("all of the new topic are decided", lambda: decided(database, 35))
        assert source.stopped == {}

    await assert_one_effect_each(database, 35)


async def test_topic_made_anew_under_a_running_consumer_stops_with_the_count(service, database):
    """Its place in the new log does not exist: it goes on neither at the beginning nor at the end, as clients would."""
    async with consuming(service.model_copy(update={"metadata_max_age_seconds": 0.5}), database) as (_, source):
        await send(service, of_partition(1, 10))
        await eventually("it works", lambda: decided(database, 10))
        await make_anew(service)
        await send(service, of_partition(1, 4))

        await eventually("it is noticed", lambda: stopped(source, 1))
        why = source.stopped[Partition(service.topic("commands"), 1)]
        [(end, short)] = re.findall(r"is 10, but the log ends at (\d+): it is (\d+) records short, or another", why)
        assert int(end) + int(short) == 10

        await send(service, of_partition(1, 8))
        # Longer than the two seconds after which stopped partitions are looked at again: only time shows that it stays.
        await asyncio.sleep(2.5)
        assert await stopped(source, 1), "a log that grew past the checkpoint is no other log for that"
        assert await decided(database, 10)
        await accept(service, 1, to="earliest")
        await eventually("all of the new topic are decided", lambda: decided(database, 22))

    await assert_one_effect_each(database, 22)


async def test_last_record_that_retention_deleted_is_no_reason_to_stop(service, database, caplog):
    await apply(service, database, 1, 10)
    await send(service, of_partition(1, 5))
    async with broker.open_admin(service) as admin:
        await admin.delete_records({TopicPartition(service.topic("commands"), 1): RecordsToDelete(before_offset=10)})

    with caplog.at_level("INFO", "squad.source"):
        async with consuming(service, database) as (_, source):
            await eventually("the rest is decided", lambda: decided(database, 15))
            assert source.stopped == {}
    assert "is deleted already; not compared" in caplog.text


async def test_groups_offsets_reset_or_gone_decide_nothing(service, database):
    """Kafka's offsets are at the start, at the end, or not there at all: the checkpoints alone count."""
    await apply(service, database, 1, 10)
    await set_groups_offset(service, 1, 0)
    await apply(service, database, 1, 5)
    await send(service, of_partition(1, 5))
    await set_groups_offset(service, 1, 20)
    await consume(service, database, 5)

    without = service.model_copy(update={"consumer_group": f"{service.consumer_group}-without-offsets"})
    async with database.transaction() as session:
        await session.execute(text("UPDATE checkpoints SET consumer_group = :group"), {"group": without.consumer_group})
    await apply(without, database, 1, 5)

    await assert_one_effect_each(database, 25)
    assert await checkpoints_of(database) == {0: 0, 1: 25, 2: 0}


async def test_new_group_decides_for_all_partitions_and_later_ones_begin_at_their_first_record(service, database):
    """Three partitions become six while the consumer runs; the new ones are read from their beginning."""
    settings = service.model_copy(update={"first_start": "latest", "metadata_max_age_seconds": 0.5})
    commands = service.topic("commands")
    await send(service, of_partition(1, 10))
    async with consuming(settings, database) as (consumer, source):
        await eventually("it reads", lambda: reads(source, 3))
        assert await checkpoints_of(database) == {0: 0, 1: 10, 2: 0}, "the choice was latest"
        async with broker.open_admin(service) as admin:
            await admin.create_partitions({commands: NewPartitions(6)})
        await eventually("producers know them", lambda: has_partitions(service, 6))
        await send(service, [making.register_user() for _ in range(60)])
        await eventually("all are decided", lambda: decided(database, 60))
        await eventually("all are read", lambda: reads(source, 6))
    assert consumer.counts["applied"] == 60

    ends = {number: end for number, (_, end) in (await topic_logs.log_ranges(service, commands)).items()}
    assert await checkpoints_of(database) == ends
    assert min(ends[number] for number in (3, 4, 5)) > 0
    await assert_one_effect_each(database, 60)


async def test_first_member_of_a_new_group_decides_for_the_partitions_of_the_others_too(service, database):
    """Else those would look as if they were added later, and be read from their beginning."""
    commands = service.topic("commands")
    await send(service, of_partition(1, 10))
    assignment = Assignment(lanes=1, max_records=10, max_bytes=1000)
    consumer = AIOKafkaConsumer(bootstrap_servers=service.kafka_bootstrap_servers, enable_auto_commit=False)
    adoption = Adoption(
        consumer=consumer,
        database=database,
        last_records=LastRecords(client=broker.client_arguments(service)),
        assignment=assignment,
        group=service.consumer_group,
        topic=commands,
        first_start="latest",
    )
    async with kafka_client.opened(consumer):
        consumer.assign([TopicPartition(commands, 0)])
        assignment.assign([Partition(commands, 0)])
        await adoption.adopt_once()

    assert assignment.positions == {Partition(commands, 0): 0}
    assert await checkpoints_of(database) == {0: 0, 1: 10, 2: 0}


async def test_group_without_checkpoints_may_be_refused(service):
    """A mistyped group or a wrong database is found before anything is applied a second time."""
    with running(service.model_copy(update={"first_start": "refuse"}), "consume") as process:
        code, printed = process.finish()

    assert code == 1
    assert f"group {service.consumer_group} has no checkpoint of {service.topic('commands')}" in printed


async def test_operator_sees_a_stopped_partition_and_lets_it_go_on(service, database):
    await apply(service, database, 1, 10)
    await send(service, of_partition(1, 5))
    async with broker.open_admin(service) as admin:
        await admin.delete_records({TopicPartition(service.topic("commands"), 1): RecordsToDelete(before_offset=12)})
    accepting = ["checkpoints", "accept", "1", "--to", "earliest", "--reason", "retention was too short", "--json"]

    with running(service.model_copy(update={"heartbeat_interval_seconds": 0.3}), "consume") as process:
        await eventually("it says that it is stopped", lambda: is_stopped(service, 1))
        listed = await squad(service, "checkpoints", "list", "--json")
        assert [(each["checkpoint"], each["lag"], bool(each["reader"])) for each in listed] == [
            (0, 0, True),
            (10, 5, False),
            (0, 0, True),
        ]
        assert listed[1]["stopped"].startswith(
            "the checkpoint is 10, but the log starts at 12: 2 records are gone unread"
        )

        [shown] = await squad(service, *accepting)
        assert (shown["before"], shown["after"], shown["gone_unread"], shown["done"]) == (10, 12, 2, False)
        assert (await checkpoints_of(database))[1] == 10, "without --yes nothing is changed"
        assert await squad(service, *accepting, "--yes") == [shown | {"done": True}]
        await eventually("it goes on", lambda: decided(database, 13))
        with pytest.raises(operated.AcceptError, match=r"is not stopped: .+ reads it"):
            operated.plan(await operated.fetch(service), [0], everything=False, to="latest")
        assert process.stop()[0] == 0

    assert await rows(database, "SELECT action, target, reason, before, after FROM audit") == [
        (
            "checkpoints accept",
            f"{service.consumer_group} {service.topic('commands')}[1]",
            "retention was too short",
            {"next_offset": 10},
            {"next_offset": 12},
        )
    ]


async def test_checkpoint_that_moved_meanwhile_is_not_accepted(service, database):
    await apply(service, database, 1, 10)
    moves = operated.plan(await operated.fetch(service), [], everything=True, to="earliest")
    await apply(service, database, 2, 3)

    with pytest.raises(operated.AcceptError, match=r"\[2\] was moved meanwhile: look again; nothing was changed"):
        await operated.accept(service, moves, reason="tests")

    assert await checkpoints_of(database) == {0: 0, 1: 10, 2: 3}
    assert await rows(database, "SELECT count(*) FROM audit") == [(0,)]


async def squad(settings, *arguments: str):
    """Run a verb inside the test, and give the JSON that it prints."""
    result = await asyncio.to_thread(CliRunner().invoke, app, arguments, env=environment(settings))
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


async def is_stopped(settings, number: int) -> bool:
    return bool((await operated.fetch(settings))[number].stopped)


async def reads(source, partitions: int) -> bool:
    return len(source.positions) == partitions


async def has_partitions(settings, number: int) -> bool:
    return len(await topic_logs.end_offsets(settings, settings.topic("commands"))) == number
