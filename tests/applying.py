"""A processor on a fresh database, fed by hand: what it stores and what it would publish."""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import fields, replace
from typing import Any, Self

from sqlalchemy import event, text

from checker.evidence import State
from checker.rebuilt import Rebuilt
from checker.retelling import RETELL
from checker.tables import read_tables
from consumers import checkpoints
from consumers.decode import Decoder
from consumers.outgoing import Topics
from consumers.permissions import Permissions
from consumers.processor import Processor
from consumers.records import Batch, Partition
from db.database import Database
from messages.codec import Limits
from tests.making import TOPIC, FakeRecord, batch

GROUP = "tests"
STATE = ("users", "squads", "squad_members", "projects", "tasks", "feedback", "usage_metrics")
TOPICS = Topics(events="squad.events", outcomes="squad.outcomes", dead_letters="squad.dead-letters")


def build_processor(database: Database, *, replies: Collection[str] = (), **decoder: Any) -> Processor:
    """Build a processor; `replies` are the topics to which outcomes may go besides."""
    permissions = decoder.pop("permissions", None) or Permissions(reply_topics=replies)
    breaker = decoder.pop("breaker", None)
    return Processor(
        database=database,
        group=GROUP,
        topics=replace(TOPICS, replies=frozenset(replies)),
        decoder=Decoder(limits=Limits(), permissions=permissions, **decoder),
        breaker=breaker,
    )


class Bench:
    """A consumer without Kafka: records get offsets one after another, in partitions of their own."""

    def __init__(self, database: Database, **settings: Any) -> None:
        self.database = database
        self.processor = build_processor(database, **settings)
        self.next_offsets: dict[int, int] = {}

    async def apply(self, *records: FakeRecord, partition: int = 0) -> Counter[str]:
        """Apply records as one batch that begins where the one before it ended."""
        return await self.processor.apply(await self.batch(records, partition=partition))

    async def batch(self, records: Iterable[FakeRecord], *, partition: int = 0) -> Batch:
        if partition not in self.next_offsets:
            self.next_offsets[partition] = 0
            async with self.database.transaction() as session:
                await checkpoints.create(session, GROUP, {Partition(TOPIC, partition): 0})
        made = batch(records, begin=self.next_offsets[partition], partition=partition)
        self.next_offsets[partition] += len(made.records)
        return made

    async def rows(self, query: str, **parameters: Any) -> list[Any]:
        """Run a query of the test's own."""
        async with self.database.sessions() as session:
            return [tuple(row) for row in await session.execute(text(query), parameters)]

    async def outbox(self, topic: str = TOPICS.events) -> list[dict[str, Any]]:
        """Give what is to be published on a topic, in order, with its body parsed."""
        found = await self.rows(
            "SELECT event_id::text, convert_from(key, 'UTF8'), type, sequence, causation_id, correlation_id, time, body"
            " FROM outbox WHERE topic = :topic ORDER BY position",
            topic=topic,
        )
        names = ("id", "key", "type", "sequence", "causation_id", "correlation_id", "time", "body")
        return [dict(zip(names, row, strict=True)) | {"data": json.loads(row[-1])} for row in found]

    async def outcomes(self) -> list[dict[str, Any]]:
        """Give the outcomes' data, in order."""
        return [each["data"] for each in await self.outbox(TOPICS.outcomes)]

    async def snapshot(self) -> tuple[Any, ...]:
        """Give all that commands can change or cause, places in the log aside."""
        tables = [await self.rows(f"SELECT * FROM {table} ORDER BY 1") for table in STATE]
        inbox = await self.rows("SELECT command_id, outcome, outcome_body FROM inbox ORDER BY command_id")
        messages = [
            {name: each[name] for name in ("id", "key", "type", "sequence", "body")}
            for each in await self.outbox() + await self.outbox(TOPICS.outcomes)
        ]
        return tables, inbox, messages

    async def both_ways(self, records: Sequence[FakeRecord], *, size: int) -> tuple[Any, Any]:
        """Apply records one by one, forget everything, and apply them in batches of a size; give a snapshot of each."""
        for each in records:
            await self.apply(each)
        one_by_one = await self.snapshot()
        await self.forget()
        for start in range(0, len(records), size):
            await self.apply(*records[start : start + size])
        return one_by_one, await self.snapshot()

    async def retold(self) -> tuple[State, State]:
        """Give the tables as their events tell them, and as they are, both as the checker compares them."""
        rebuilt = Rebuilt()
        for each in await self.outbox():
            rebuilt.now = each["time"]
            RETELL[each["type"]](rebuilt, each["data"])
        told = State(**{table.name: getattr(rebuilt, table.name) for table in fields(State)})
        return told, (await read_tables(self.database.engine, group=GROUP, commands_topic=TOPIC)).state

    async def forget(self) -> None:
        """Empty every table that `snapshot` looks at."""
        async with self.database.transaction() as session:
            await session.execute(text(f"TRUNCATE {', '.join(STATE)}, inbox, outbox CASCADE"))


class StatementCounter:
    """Counts the statements that an engine sends, while in its block."""

    def __init__(self, database: Database) -> None:
        self._engine = database.engine.sync_engine
        self.statements: list[str] = []

    def _note(self, *arguments: Any) -> None:
        self.statements.append(arguments[2])

    def __enter__(self) -> Self:
        event.listen(self._engine, "before_cursor_execute", self._note)
        return self

    def __exit__(self, *_: object) -> None:
        event.remove(self._engine, "before_cursor_execute", self._note)
