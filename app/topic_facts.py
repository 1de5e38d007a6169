"""What the brokers say of the topics: partitions, copies, settings, where the logs begin and end."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import IncompatibleBrokerVersion

from app import broker
from app.settings import Settings
from consumers import kafka_client


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicFacts:
    """A topic as it is.

    Args:
        partitions: how many.
        copies: the fewest that a partition has.
        in_sync: the fewest copies of a partition that are in step.
        configs: its settings; empty where the brokers do not tell.
    """

    partitions: int
    copies: int
    in_sync: int
    configs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterFacts:
    """The brokers and those of our topics that are there.

    Args:
        brokers: how many.
        mock: whether it is librdkafka's mock and no Kafka.
        topics: by name.
    """

    brokers: int
    mock: bool
    topics: Mapping[str, TopicFacts]


async def read_cluster(settings: Settings) -> ClusterFacts:
    """Ask for the brokers and our topics. Nothing is made by asking, also where brokers make topics on first use.

    Raises:
        aiokafka.errors.KafkaError: no broker answers, or it refuses us.
        app.broker.TopicError: a topic's settings may not be read.
    """
    wanted = {plan.name for plan in broker.plan_topics(settings)}
    async with broker.open_admin(settings) as admin:
        cluster = await admin.describe_cluster()
        names = sorted(wanted & set(await admin.list_topics()))
        described = await admin.describe_topics(names) if names else []
        try:
            configs = await broker.describe_configs(admin, names)
        except IncompatibleBrokerVersion:
            configs = {}
    return ClusterFacts(
        brokers=len(cluster["brokers"]),
        mock=str(cluster["cluster_id"]).startswith(broker.MOCK_CLUSTER),
        topics={
            each["topic"]: TopicFacts(
                partitions=len(each["partitions"]),
                copies=min(len(partition["replicas"]) for partition in each["partitions"]),
                in_sync=min(len(partition["isr"]) for partition in each["partitions"]),
                configs=configs.get(each["topic"], {}),
            )
            for each in described
            if each["error_code"] == 0
        },
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRange:
    """Where a partition's log begins and ends.

    Args:
        start: offset of the oldest record kept.
        end: offset behind the newest.
        stamped_late: whether it has a record stamped after the moment that was asked about.
    """

    start: int
    end: int
    stamped_late: bool


async def read_logs(settings: Settings, topic: str, partitions: int, *, moment: datetime) -> dict[int, LogRange]:
    """Ask where the logs of a topic begin and end, and whether one has a record stamped after a moment.

    Args:
        settings: where the brokers are.
        topic: its full name.
        partitions: how many it has.
        moment: with its offset.

    Raises:
        aiokafka.errors.KafkaError: no broker answers, or it refuses us.
    """
    handles = [TopicPartition(topic, number) for number in range(partitions)]
    client = AIOKafkaConsumer(**broker.client_arguments(settings), enable_auto_commit=False)
    async with kafka_client.opened(client) as consumer:
        starts = await consumer.beginning_offsets(handles)
        ends = await consumer.end_offsets(handles)
        late = await consumer.offsets_for_times(dict.fromkeys(handles, round(moment.timestamp() * 1000)))
    return {
        each.partition: LogRange(start=starts[each], end=ends[each], stamped_late=late.get(each) is not None)
        for each in handles
    }
