"""Bugs that only a real Kafka meets: how its records are acknowledged, and what its group offsets are worth."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from checker.evidence import TopicDump
from checker.faults import Invariant
from checker.topics import read_topics
from consumers.adoption import Adoption
from consumers.checkpoints import Checkpoint
from consumers.consumer import Consumer
from consumers.membership import Membership
from consumers.outgoing import Topics
from consumers.records import Partition
from consumers.source import Source
from db.database import Database
from outbox.kafka_errors import UNKNOWN
from outbox.publisher import KafkaPublisher
from outbox.settling import Publisher
from tests.planted.committing import compare_no_beginnings
from tests.planted.planting import PlantedBug
from tests.planted.trial import PARTITIONS, Trial

TopicFactory = Callable[..., Awaitable[str]]

BATCH_BYTES = 3500
TOPIC_BYTES = 2000


class KafkaTrial(Trial):
    """A run whose commands are on a real topic too, and whose relay publishes to real ones.

    Args:
        database, patch, seed: as a trial's.
        bootstrap_servers: of Kafka.
        make_topic: makes one, and gives its name.
    """

    def __init__(
        self,
        database: Database,
        patch: pytest.MonkeyPatch,
        *,
        seed: int,
        bootstrap_servers: str,
        make_topic: TopicFactory,
    ) -> None:
        super().__init__(database, patch, seed=seed)
        self.client = {"bootstrap_servers": bootstrap_servers}
        self._make_topic = make_topic
        self._publisher = KafkaPublisher(client=self.client, batch_bytes=BATCH_BYTES, backoff_first_seconds=0.01)

    @property
    def publishes_to(self) -> Publisher:
        return self._publisher

    async def begin(self) -> None:
        self.commands_topic = self.group = await self._make_topic(partitions=PARTITIONS)
        self.topics = Topics(
            events=await self._make_topic(partitions=1, max_message_bytes=str(TOPIC_BYTES)),
            outcomes=await self._make_topic(partitions=1),
            dead_letters=await self._make_topic(partitions=1),
        )
        await super().begin()

    async def close(self) -> None:
        """Let connections go."""
        await self._publisher.close()

    async def produce(self) -> None:
        """Put the log, which is in memory, onto the real topic."""
        producer = AIOKafkaProducer(**self.client, acks="all")
        await producer.start()
        for partition, records in self.log.items():
            for each in records:
                sent = await producer.send_and_wait(
                    self.commands_topic,
                    each.value,
                    key=each.key,
                    headers=list(each.headers),
                    partition=partition,
                    timestamp_ms=each.timestamp,
                )
                assert sent.offset == each.offset
        await producer.stop()

    async def read_topic(self, topic: str) -> TopicDump:
        return (await read_topics(self.client, [topic]))[topic]


# Kafka offset instead of the checkpoint

_load_or_create = Adoption._load_or_create


async def _load_from_kafka(adoption: Adoption, starts: Mapping[Partition, int]) -> dict[Partition, Checkpoint]:
    await _load_or_create(adoption, starts)
    committed = {each: await adoption._consumer.committed(TopicPartition(*each)) for each in starts}
    return {each: Checkpoint(next_offset=committed[each] or start) for each, start in starts.items()}


async def _believe_kafka(trial: Trial) -> None:
    """Where reading begins, and that it is not compared with the checkpoint either: it would stand still there."""
    trial.patch.setattr(Adoption, "_load_or_create", _load_from_kafka)
    await compare_no_beginnings(trial)


async def _move_the_groups_offset(trial: Trial) -> None:
    assert isinstance(trial, KafkaTrial)
    for _ in range(4):
        trial.register()
    await trial.produce()
    handle = TopicPartition(trial.commands_topic, 0)
    tool = AIOKafkaConsumer(**trial.client, group_id=trial.group, enable_auto_commit=False)
    await tool.start()
    tool.assign([handle])
    await tool.commit({handle: 3})
    await tool.stop()
    await _consume(trial, until_offset=4)


async def _consume(trial: KafkaTrial, *, until_offset: int) -> None:
    """Run a real consumer until it has decided the record before an offset of the first partition."""
    decided = asyncio.Event()
    source = Source(
        database=trial.database,
        group=trial.group,
        topic=trial.commands_topic,
        client=trial.client,
        membership=Membership(),
        accept_producer_time=True,
        poll_seconds=0.02,
    )
    consumer = Consumer(source=source, processor=trial.consumer().processor, on_applied=lambda _: decided.set())
    running = asyncio.create_task(consumer.run())
    query = f"SELECT count(*) FROM checkpoints WHERE next_offset >= {until_offset}"
    async with asyncio.timeout(30):
        while not (await trial.rows(query))[0][0]:
            await decided.wait()
            decided.clear()
    consumer.stop()
    await running


KAFKA_OFFSET = PlantedBug(
    name="Kafka offset instead of the checkpoint",
    plant=_believe_kafka,
    meets="a tool moves the group's offset in Kafka past commands that nobody applied",
    scenario=_move_the_groups_offset,
    caught_by=frozenset({Invariant.DECIDED_ONCE, Invariant.ANSWERED, Invariant.AS_EXPECTED}),
    seed=41,
    together_with="the comparison with the checkpoint: no batch would pass, and the partition would stand still",
    needs="Kafka",
)

# Two batches of a partition un-awaited


async def _publish_unawaited(publisher: KafkaPublisher, producer: AIOKafkaProducer, share: Any) -> None:
    topic, partition = share.place.topic, share.place.partition
    sent, rest = [], list(share.waiting)
    while rest:
        batch, count = publisher._sending.fill(producer, rest)
        sent.append((await producer.send_batch(batch, topic, partition=partition), rest[:count]))
        del rest[:count]
    for future, records in sent:
        try:
            await future
        except UNKNOWN:
            continue
        share.waiting = [each for each in share.waiting if each not in records]


async def _await_no_batch(trial: Trial) -> None:
    trial.patch.setattr(KafkaPublisher, "_publish_share", _publish_unawaited)


async def _refuse_a_batch(trial: Trial) -> None:
    """Full batches are larger than the topic lets through, the last one of the page is not."""
    squad_id = trial.squad_of(trial.register())
    for _ in range(8):
        trial.project_in(squad_id)
    await trial.drain()
    await trial.publish()


BATCHES_UNAWAITED = PlantedBug(
    name="two batches of a partition un-awaited",
    plant=_await_no_batch,
    meets="Kafka refuses a fresh producer's first batch, and takes the one behind it",
    scenario=_refuse_a_batch,
    caught_by=frozenset({Invariant.ORDER_KEPT, Invariant.GAPLESS}),
    seed=42,
    needs="Kafka",
)
