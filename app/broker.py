"""The broker as an operator sees it: reached or not, its topics made and checked."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    NodeNotReadyError,
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

_ASKED_AT_MOST: Final = 5
"""How many brokers are asked, at random; with one of three silent, the last resort is needed once in 81 times."""

Answer = TypeVar("Answer")

__all__ = [
    "UNREACHABLE",
    "KafkaError",
    "TopicError",
    "TopicPlan",
    "UnreachableError",
    "absent",
    "check_topics",
    "client_arguments",
    "create_topics",
    "delete_topics",
    "describe_configs",
    "open_admin",
    "open_producer",
    "plan_topics",
]


class UnreachableError(KafkaConnectionError):  # type: ignore[misc] # the client library is untyped
    """No broker would have us; the message says why, by broker."""

    def __str__(self) -> str:
        return str(self.args[0])


class TopicError(Exception):
    """A topic is missing or does not fit; the message says which, and what to do."""


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
    # As for every client; its own default is longer, and a process that begins waits so long for a silent broker.
    admin = AIOKafkaAdminClient(**arguments, request_timeout_ms=round(settings.request_seconds * 1000))
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
        described = await _ask(lambda: admin.describe_topics([plan.name for plan in plans]))
        found = {each["topic"]: each for each in described}
        present = [plan for plan in plans if found.get(plan.name, {}).get("error_code") == 0]
        faults = [
            absent(plan.name, found.get(plan.name, {}).get("error_code")) for plan in plans if plan not in present
        ]
        stamped = [plan for plan in present if plan.log_append_time]
        configs = await _ask(lambda: describe_configs(admin, [plan.name for plan in stamped]))
    faults += [
        f"topic {plan.name} is stamped by producers, but commands are decided by the broker's time: set its"
        f" {TIME_STAMPS} to LogAppendTime, or {variable('accept_producer_time')} to true"
        for plan in stamped
        if configs[plan.name].get(TIME_STAMPS) != "LogAppendTime"
    ]
    if faults:
        raise TopicError("; ".join(faults))
    return {plan.name: len(found[plan.name]["partitions"]) for plan in plans}


async def _ask(ask: Callable[[], Awaitable[Answer]]) -> Answer:
    """Ask again where no connection came about: the client asks any of the brokers, and one may be away or silent."""
    for _ in range(_ASKED_AT_MOST - 1):
        try:
            return await ask()
        except NodeNotReadyError:
            continue
    return await ask()


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


def absent(topic: str, code: int | None) -> str:
    """Say why a topic is not there for us, by the broker's error code."""
    if code == TopicAuthorizationFailedError.errno:
        return f"topic {topic} cannot be seen: {TopicAuthorizationFailedError.__name__}"
    return f"topic {topic} does not exist: `squad topics create` makes it"
