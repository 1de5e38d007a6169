"""A small run stepped by hand: commands from a log in memory, real PostgreSQL, what was published, and the judgement.

The log and the topics are lists, because here it is the scenario that says who reads when; the processor, the failure
table, the outbox and the relay are the real ones.
"""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from random import Random
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from checker.evidence import Evidence, Place, TopicDump, TopicRecord
from checker.history import History
from checker.judge import Verdict, judge
from checker.tables import read_tables
from consumers import checkpoints
from consumers.records import Partition
from db.database import Database
from domain.commands import Command
from messages.keys import partition_of
from outbox.relay import Relay
from outbox.settling import Publisher
from tests import making
from tests.applying import GROUP, TOPICS
from tests.making import TOPIC, FakeRecord
from tests.planted.hand import Hand
from tests.relaying import RecordingPublisher, leading_relay

PARTITIONS = 2


class Trial:
    """One run.

    Args:
        database: a fresh one.
        patch: for the faults of the scenario; undone with the test.
        seed: of everything that is drawn.
    """

    def __init__(self, database: Database, patch: pytest.MonkeyPatch, *, seed: int) -> None:
        self.database = database
        self.patch = patch
        self.seed = seed
        self.chance = Random(seed)
        self.history = History()
        self.repeats_allowed = 0
        self.page_rows = 2000
        self.log: dict[int, list[FakeRecord]] = {number: [] for number in range(PARTITIONS)}
        self.publisher = RecordingPublisher()
        self.topics = TOPICS
        self.commands_topic = TOPIC
        self.group = GROUP

    @property
    def publishes_to(self) -> Publisher:
        """Where its relays publish to."""
        return self.publisher

    async def begin(self) -> None:
        """Make the checkpoints."""
        async with self.database.transaction() as session:
            places = {Partition(self.commands_topic, number): 0 for number in self.log}
            await checkpoints.create(session, self.group, places)

    # What the producer does

    def new_id(self) -> str:
        """Draw an id."""
        return str(UUID(int=self.chance.getrandbits(128), version=4))

    def send(
        self, command: Command, *, partition: int = 0, command_id: str | None = None, expected: str | None = "applied"
    ) -> FakeRecord:
        """Put a command at the end of a partition, acknowledged."""
        record = making.record(command, command_id=command_id or self.new_id())
        self.put(record, partition=partition, expected=expected)
        return record

    def put(self, record: FakeRecord, *, partition: int = 0, expected: str | None, kind: str = "command") -> None:
        """Put a record at the end of a partition, acknowledged."""
        names = {name: content for name, content in record.headers if content is not None}
        number = self.history.invoke(
            kind=kind,
            source=names["ce_source"].decode() if "ce_source" in names else None,
            id=names["ce_id"].decode() if "ce_id" in names else None,
            key=record.key,
            expected=expected,
            intended_at=record.timestamp / 1000,
        )
        record.topic = self.commands_topic
        record.partition, record.offset = partition, len(self.log[partition])
        self.log[partition].append(record)
        self.history.ok(number, partition, record.offset)

    def send_again(self, record: FakeRecord, *, partition: int | None = None, expected: str = "applied") -> None:
        """Send the same once more, as a producer does that did not hear the first answer."""
        self.put(replace(record), partition=record.partition if partition is None else partition, expected=expected)

    def register(self, *, partition: int = 0) -> str:
        """Send the registration of a user; give the id."""
        user_id = self.new_id()
        self.send(making.register_user(user_id), partition=partition)
        return user_id

    def squad_of(self, owner: str, *, partition: int = 0) -> str:
        """Send the creation of a squad; give the id."""
        squad_id = self.new_id()
        self.send(making.create_squad(owner, squad_id), partition=partition)
        return squad_id

    def project_in(self, squad_id: str, *, partition: int = 0) -> str:
        """Send the creation of a project, which is the squad's event; give the id."""
        project_id = self.new_id()
        self.send(making.create_project(squad_id, project_id), partition=partition)
        return project_id

    # What the service does

    def consumer(self, database: Database | None = None) -> Hand:
        """Give a consumer that begins at the checkpoints; it has the trial's connections, or others."""
        return Hand(
            database=database or self.database,
            log=self.log,
            topic=self.commands_topic,
            group=self.group,
            topics=self.topics,
        )

    async def drain(self) -> None:
        """Apply all that is left, by a consumer that was started anew."""
        await self.consumer().drain()

    @asynccontextmanager
    async def relay(self) -> AsyncIterator[Relay]:
        """Give a relay that took the lease, from whomever."""
        async with leading_relay(self.database, self.publishes_to, page_rows=self.page_rows) as relay:
            yield relay

    async def publish(self) -> None:
        """Publish all that is committed, by a relay that was started anew."""
        async with self.relay() as relay:
            while await relay.pass_once():
                pass

    async def execute(self, statement: str, **parameters: object) -> None:
        """Do something in a transaction of the scenario's own."""
        async with self.database.transaction() as session:
            await session.execute(text(statement), parameters)

    async def rows(self, query: str) -> Sequence[Any]:
        """Ask something."""
        async with self.database.sessions() as session:
            return (await session.execute(text(query))).all()

    # The judgement

    async def judge(self) -> Verdict:
        """Heal, restart, send one command more, drain, and judge what is there."""
        last = making.record(making.register_user(self.new_id()), command_id=self.new_id())
        last.timestamp += 1000
        self.put(last, expected="applied")
        await self.drain()
        await self.publish()
        return judge(await self.gather(healed_at=last.timestamp / 1000))

    async def gather(self, *, healed_at: float) -> Evidence:
        """Give what the run left behind; its faults were over at some time, in seconds since 1970."""
        return Evidence(
            history=self.history.attempts,
            commands=self._commands(),
            events=await self.read_topic(self.topics.events),
            outcomes=await self.read_topic(self.topics.outcomes),
            dead_letters=await self.read_topic(self.topics.dead_letters),
            tables=await read_tables(self.database.engine, group=self.group, commands_topic=self.commands_topic),
            repeats_allowed=self.repeats_allowed,
            healed_at=healed_at,
            seed=self.seed,
        )

    def _commands(self) -> TopicDump:
        records = [
            TopicRecord(
                place=Place(each.partition, each.offset), key=each.key, value=each.value, headers=tuple(each.headers)
            )
            for records in self.log.values()
            for each in records
        ]
        ends = {number: len(each) for number, each in self.log.items()}
        return TopicDump(name=self.commands_topic, records=records, begins=dict.fromkeys(ends, 0), ends=ends)

    async def read_topic(self, topic: str) -> TopicDump:
        """Give all that was published to a topic."""
        offsets: Counter[int] = Counter()
        records: dict[int, list[TopicRecord]] = defaultdict(list)
        for each in self.publisher.records:
            if each.topic == topic:
                number = partition_of(each.key, PARTITIONS)
                place = Place(number, offsets[number])
                offsets[number] += 1
                records[number].append(
                    TopicRecord(place=place, key=each.key, value=each.value, headers=tuple(each.headers()))
                )
        every = [record for number in sorted(records) for record in records[number]]
        return TopicDump(name=topic, records=every, begins=dict.fromkeys(offsets, 0), ends=dict(offsets))
