"""The checker's judgement of a run without Kafka: records were applied by hand, and a relay's publisher kept them."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from time import time

from checker.evidence import Evidence, Place, TopicDump, TopicRecord
from checker.history import Attempt, Status, key_text
from checker.judge import Verdict, judge
from checker.tables import read_tables
from db.database import Database
from outbox.wire import Record
from tests.applying import GROUP, TOPICS
from tests.making import TOPIC, FakeRecord


async def judge_run(database: Database, applied: Iterable[FakeRecord], published: Sequence[Record]) -> Verdict:
    """Judge a run.

    Args:
        database: of the run, which holds nothing else.
        applied: the records, with their places; none is missing that ever was applied.
        published: what the relay's publisher got, in order.
    """
    commands = _dump(
        TOPIC,
        sorted(
            (
                TopicRecord(
                    place=Place(each.partition, each.offset),
                    key=each.key,
                    value=each.value,
                    headers=tuple(each.headers),
                )
                for each in applied
            ),
            key=lambda record: record.place,
        ),
    )
    return judge(
        without_order_of_outcomes(
            Evidence(
                history=[_attempt(number, record) for number, record in enumerate(commands.records)],
                commands=commands,
                events=_published(TOPICS.events, published),
                outcomes=_published(TOPICS.outcomes, published),
                dead_letters=_published(TOPICS.dead_letters, published),
                tables=await read_tables(database.engine, group=GROUP, commands_topic=TOPIC),
            )
        )
    )


def without_order_of_outcomes(evidence: Evidence) -> Evidence:
    """Put the outcomes in the order of the outbox, so that theirs is not judged; that of the events is.

    For runs in which the commands of one key come by several partitions, which no producer may do: where there is no
    root yet, and for repeats, nothing is locked, so outcomes of different partitions are not in the order of commits.
    """
    positions = {row.event_id: row.position for row in reversed(evidence.tables.outbox)}
    records = evidence.outcomes.records
    ordered = sorted(
        records, key=lambda record: (record.place.partition, positions.get(record.header("ce_id") or "", 0))
    )
    places = sorted(record.place for record in records)
    moved = [replace(record, place=place) for record, place in zip(ordered, places, strict=True)]
    return replace(evidence, outcomes=replace(evidence.outcomes, records=moved))


def _attempt(number: int, record: TopicRecord) -> Attempt:
    return Attempt(
        number=number,
        kind="by hand",
        source=record.header("ce_source"),
        id=record.header("ce_id"),
        key=key_text(record.key),
        expected=None,
        intended_at=time(),
        status=Status.OK,
        partition=record.place.partition,
        offset=record.place.offset,
    )


def _published(topic: str, published: Iterable[Record]) -> TopicDump:
    """All messages are in one partition, as one relay published them."""
    own = [record for record in published if record.topic == topic]
    return _dump(
        topic,
        [
            TopicRecord(place=Place(0, offset), key=each.key, value=each.value, headers=tuple(each.headers()))
            for offset, each in enumerate(own)
        ],
    )


def _dump(name: str, records: Sequence[TopicRecord]) -> TopicDump:
    ends: dict[int, int] = {}
    for record in records:
        ends[record.place.partition] = record.place.offset + 1
    return TopicDump(name=name, records=records, begins=dict.fromkeys(ends, 0), ends=ends)
