"""The broker as an operator sees it: topics made and checked, records tailed, commands sent."""

from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    for_code,
)

from app.kafka_security import security_arguments, why_unreachable
from app.settings import Settings, variable
from consumers import kafka_client

TIME_STAMPS: Final = "message.timestamp.type"

MOCK_CLUSTER: Final = "mockCluster"
"""How the cluster id of librdkafka's mock begins (its src/rdkafka_mock.c)."""

UNREACHABLE: Final = (KafkaConnectionError, KafkaTimeoutError)
"""What the client library raises when no broker answers."""

__all__ = [
    "UNREACHABLE",
    "KafkaError",
    "KafkaRecord",
    "TopicError",
    "TopicPlan",
    "UnreachableError",
    "check_topics",
    "client_arguments",
    "create_topics",
    "delete_topics",
    "describe_configs",
    "end_offsets",
    "log_ranges",
    "open_admin",
    "open_producer",
    "plan_topics",
    "tail",
]


class UnreachableError(KafkaConnectionError):  # type: ignore[misc] # the client library is untyped
    """No broker would have us; the message says why, by broker."""

    def __str__(self) -> str:
        return str(self.args[0])


class TopicError(Exception):
    """A topic is missing or does not fit; the message says which, and what to do."""


class KafkaRecord(Protocol):
    """A record as the client library gives it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """What a topic has to be.

    Args:
        name: with its prefix.
        log_append_time: whether the broker stamps its records.
    """

    name: str
    log_append_time: bool


def plan_topics(settings: Settings) -> list[TopicPlan]:
    """Give the topics that the service needs; without the ones to reply to, its relay would wait for them for ever."""
    return [
        TopicPlan(settings.topic("commands"), log_append_time=not settings.accept_producer_time),
        TopicPlan(settings.topic("events"), log_append_time=False),
        TopicPlan(settings.topic("outcomes"), log_append_time=False),
        TopicPlan(settings.topic("dead-letters"), log_append_time=False),
        *(TopicPlan(name, log_append_time=False) for name in settings.reply_topics),
    ]


def client_arguments(settings: Settings) -> dict[str, Any]:
    """Give what every Kafka client needs to reach the brokers and to be let in."""
    return {"bootstrap_servers": settings.kafka_bootstrap_servers, **security_arguments(settings)}


@asynccontextmanager
async def _explained(arguments: dict[str, Any]) -> AsyncIterator[None]:
    """Raise `UnreachableError` where the client library only says that it could not connect."""
    try:
        yield
    except UNREACHABLE as error:
        raise UnreachableError(await why_unreachable(arguments)) from error


@asynccontextmanager
async def open_admin(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    """Give an administration client, closed at the end."""
    arguments = client_arguments(settings)
    admin = AIOKafkaAdminClient(**arguments)
    try:
        async with _explained(arguments):
            await admin.start()
        yield admin
    finally:
        await admin.close()


@asynccontextmanager
async def open_producer(settings: Settings) -> AsyncIterator[AIOKafkaProducer]:
    """Give a producer whose sends are acknowledged by all replicas, flushed and closed at the end."""
    arguments = client_arguments(settings)
    client = AIOKafkaProducer(**arguments, acks="all", enable_idempotence=True, linger_ms=5)
    async with _explained(arguments):
        await kafka_client.start(client)
    try:
        yield client
    finally:
        await client.stop()


async def create_topics(settings: Settings) -> list[str]:
    """Make the topics that are missing.

    Returns:
        Their names; empty when all existed, or are made on first use.

    Raises:
        TopicError: the broker refused one.
    """
    created = []
    async with open_admin(settings) as admin:
        if await _makes_topics_on_use(admin):
            await _use_topics(admin, settings)
            return []
        for plan in plan_topics(settings):
            topic = NewTopic(
                plan.name,
                settings.topic_partitions,
                settings.topic_replication_factor,
                topic_configs={TIME_STAMPS: "LogAppendTime"} if plan.log_append_time else {},
            )
            response = await admin.create_topics([topic])
            _, code, message = response.topic_errors[0][:3]
            if code == 0:
                created.append(plan.name)
            elif for_code(code) is not TopicAlreadyExistsError:
                raise TopicError(f"topic {plan.name} was not created: {message or for_code(code).__name__}")
    return created


async def delete_topics(settings: Settings) -> None:
    """Delete the topics; does nothing on a broker that cannot."""
    async with open_admin(settings) as admin:
        if not await _makes_topics_on_use(admin):
            await admin.delete_topics([plan.name for plan in plan_topics(settings)])


async def _makes_topics_on_use(admin: AIOKafkaAdminClient) -> bool:
    """Tell whether this is librdkafka's mock: no request makes topics there, but asking for one does."""
    return str((await admin.describe_cluster())["cluster_id"]).startswith(MOCK_CLUSTER)


async def _use_topics(admin: AIOKafkaAdminClient, settings: Settings) -> None:
    plans = plan_topics(settings)
    if any(plan.log_append_time for plan in plans):
        raise TopicError(f"this broker stamps no records, being a mock: set {variable('accept_producer_time')} to true")
    found = await admin.describe_topics([plan.name for plan in plans])
    faults = [each["topic"] for each in found if each["error_code"] != 0]
    if faults:
        raise TopicError(f"topics {', '.join(faults)} were not made on first use")


async def check_topics(settings: Settings) -> dict[str, int]:
    """See that the topics exist and fit.

    Returns:
        The number of partitions of each.

    Raises:
        TopicError: naming every topic that does not fit, and the command that helps.
    """
    plans = plan_topics(settings)
    async with open_admin(settings) as admin:
        found = {each["topic"]: each for each in await admin.describe_topics([plan.name for plan in plans])}
        present = [plan for plan in plans if found.get(plan.name, {}).get("error_code") == 0]
        faults = [
            _absent(plan.name, found.get(plan.name, {}).get("error_code")) for plan in plans if plan not in present
        ]
        stamped = [plan for plan in present if plan.log_append_time]
        configs = await describe_configs(admin, [plan.name for plan in stamped])
    faults += [
        f"topic {plan.name} is stamped by producers, but commands are decided by the broker's time: set its"
        f" {TIME_STAMPS} to LogAppendTime, or {variable('accept_producer_time')} to true"
        for plan in stamped
        if configs[plan.name].get(TIME_STAMPS) != "LogAppendTime"
    ]
    if faults:
        raise TopicError("; ".join(faults))
    return {plan.name: len(found[plan.name]["partitions"]) for plan in plans}


async def describe_configs(admin: AIOKafkaAdminClient, topics: Collection[str]) -> dict[str, dict[str, str]]:
    """Give the settings of topics, by topic and name.

    Raises:
        TopicError: they may not be read.
    """
    if not topics:
        return {}
    wanted = [ConfigResource(ConfigResourceType.TOPIC, topic) for topic in topics]
    configs: dict[str, dict[str, str]] = {}
    for response in await admin.describe_configs(wanted):
        for code, _, _, name, entries in response.resources:
            if code != 0:
                raise TopicError(f"the settings of topic {name} cannot be read: {for_code(code).__name__}")
            configs[name] = {entry[0]: entry[1] for entry in entries}
    return configs


def _absent(topic: str, code: int | None) -> str:
    if code == TopicAuthorizationFailedError.errno:
        return f"topic {topic} cannot be seen: {TopicAuthorizationFailedError.__name__}"
    return f"topic {topic} does not exist: `squad topics create` makes it"


async def tail(
    settings: Settings, topic: str, *, from_beginning: bool = False, to_end: bool = False
) -> AsyncGenerator[KafkaRecord, None]:
    """Give a topic's records as they come, outside any group.

    Args:
        settings: where the brokers are.
        topic: its full name.
        from_beginning: begin with the oldest record kept, else with the next one.
        to_end: stop at what was the end when it began, else go on for ever.

    Raises:
        TopicError: there is no such topic.
    """
    partitions = await _partitions(settings, topic)
    client = AIOKafkaConsumer(
        **client_arguments(settings), enable_auto_commit=False, isolation_level="read_committed", fetch_max_wait_ms=100
    )
    async with kafka_client.opened(client) as consumer:
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        starts = await consumer.beginning_offsets(partitions) if from_beginning else ends
        for partition in partitions:
            consumer.seek(partition, starts[partition])
        async for record in _read(consumer, ends if to_end else None):
            yield record


async def end_offsets(settings: Settings, topic: str) -> dict[int, int]:
    """Give the offset behind the last record of each partition of a topic.

    Raises:
        TopicError: there is no such topic.
    """
    partitions = await _partitions(settings, topic)
    async with kafka_client.opened(
        AIOKafkaConsumer(**client_arguments(settings), enable_auto_commit=False)
    ) as consumer:
        ends = await consumer.end_offsets(partitions)
    return {partition.partition: offset for partition, offset in ends.items()}


async def log_ranges(settings: Settings, topic: str) -> dict[int, tuple[int, int]]:
    """Give the first offset, and the one behind the last record, of each partition of a topic.

    Raises:
        TopicError: there is no such topic.
    """
    partitions = await _partitions(settings, topic)
    client = AIOKafkaConsumer(**client_arguments(settings), enable_auto_commit=False, isolation_level="read_committed")
    async with kafka_client.opened(client) as consumer:
        starts, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
    return {each.partition: (starts[each], ends[each]) for each in partitions}


async def _partitions(settings: Settings, topic: str) -> list[TopicPartition]:
    async with open_admin(settings) as admin:
        described = await admin.describe_topics([topic])
    if described[0]["error_code"] != 0:
        raise TopicError(_absent(topic, described[0]["error_code"]))
    return [TopicPartition(topic, each["partition"]) for each in described[0]["partitions"]]


async def _read(consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int] | None) -> AsyncIterator[KafkaRecord]:
    while ends is None or await _is_short_of(consumer, ends):
        found = await consumer.getmany(timeout_ms=200, max_records=2_000)
        for record in _merged(found.values()):
            yield record


async def _is_short_of(consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int]) -> bool:
    for partition, end in ends.items():
        if await consumer.position(partition) < end:
            return True
    return False


def _merged(runs: Iterable[Sequence[KafkaRecord]]) -> list[KafkaRecord]:
    return sorted((record for run in runs for record in run), key=lambda record: (record.timestamp, record.offset))
