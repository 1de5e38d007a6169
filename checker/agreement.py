"""Compares topics with the outbox from some time on: which messages do only the ones have, which only the other?

Needs neither a history nor the beginnings of the topics, and may be asked while everything runs: what is published is
looked up before the topics are read, what is stored after it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from sqlalchemy import ARRAY, BigInteger, DateTime, Text, bindparam, text
from sqlalchemy.ext.asyncio import AsyncEngine

from checker.case import EVENT_ID
from checker.evidence import TopicRecord
from checker.tables import DIVERTED, SKIPPED
from checker.topics import read_topics

_SKEW: Final = timedelta(minutes=5)
"""How far the brokers' clocks may be behind the database's."""

_RECORDED: Final = "ce_recordedtime"

# With a position, because a time does not tell which partitions to look in.
_PUBLISHED: Final = text(
    r"""
    SELECT o.topic, CAST(o.event_id AS text), o.position, o.key, o.type
    FROM outbox o
    JOIN relay_cursors c ON o.slot BETWEEN c.slot_from AND c.slot_to
    WHERE o.position >= :first_position AND o.recorded_at >= :since AND o.topic = ANY(:topics)
      AND pg_visible_in_snapshot(o.txid, c.previous)
      AND NOT EXISTS (SELECT FROM held h WHERE h.position = o.position)
      AND NOT EXISTS (SELECT FROM audit a WHERE a.action = ANY(:left_out) AND a.target = 'outbox/' || o.position)
    ORDER BY o.position
    """
).bindparams(bindparam("left_out", [*SKIPPED, *DIVERTED], type_=ARRAY(Text)))

_STORED: Final = text(
    """
    SELECT topic, CAST(event_id AS text) FROM outbox
    WHERE position >= :first_position AND recorded_at >= :since AND topic = ANY(:topics)
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A message that only one of them has.

    Args:
        only: who has it.
        topic, id, key, type: of the message.
        place: partition and offset on the topic, or the position in the outbox.
    """

    only: Literal["topic", "outbox"]
    topic: str
    id: str
    key: str
    type: str
    place: str


async def find_differences(
    engine: AsyncEngine,
    client: Mapping[str, Any],
    topics: Sequence[str],
    *,
    since: datetime,
    first_position: int,
    timeout_seconds: float,
) -> list[Difference]:
    """Compare.

    Args:
        engine: of the database.
        client: arguments for the Kafka client.
        topics: of events and outcomes, by their full names.
        since: messages recorded before do not count.
        first_position: no row recorded since then has a lower one.
        timeout_seconds: how long reading the topics may take.

    Returns:
        What only the topics have, in their order, then what only the outbox has that it says is published.

    Raises:
        checker.topics.UnfinishedReadError: the topics could not be read in time.
    """
    place = {"since": since, "first_position": first_position, "topics": list(topics)}
    published = await _fetch(engine, _PUBLISHED, place)
    dumps = await read_topics(client, topics, since=since - _SKEW, timeout_seconds=timeout_seconds)
    stored = {(row[0], row[1]) for row in await _fetch(engine, _STORED, place)}
    there: dict[tuple[str, str], TopicRecord] = {}
    for dump in dumps.values():
        for record in dump.records:
            there.setdefault((dump.name, record.header(EVENT_ID) or ""), record)
    return [
        *(
            _only_on_topic(topic, message_id, record)
            for (topic, message_id), record in there.items()
            if (topic, message_id) not in stored and _is_recorded_since(record, since)
        ),
        *(_only_in_outbox(row) for row in published if (row[0], row[1]) not in there),
    ]


async def _fetch(engine: AsyncEngine, statement: Any, place: Mapping[str, object]) -> Sequence[Any]:  # noqa: ANN401 - text
    typed = statement.bindparams(
        bindparam("since", type_=DateTime(timezone=True)),
        bindparam("first_position", type_=BigInteger),
        bindparam("topics", type_=ARRAY(Text)),
    )
    async with engine.connect() as connection:
        return (await connection.execute(typed, place)).all()


def _is_recorded_since(record: TopicRecord, since: datetime) -> bool:
    """Tell when a message was first written; one that does not say counts, for it is none of ours."""
    try:
        return datetime.fromisoformat(record.header(_RECORDED) or "") >= since
    except (TypeError, ValueError):
        return True


def _only_on_topic(topic: str, message_id: str, record: TopicRecord) -> Difference:
    return Difference(
        only="topic",
        topic=topic,
        id=message_id,
        key=(record.key or b"").decode(errors="replace"),
        type=record.header("ce_type") or "",
        place=str(record.place),
    )


def _only_in_outbox(row: Any) -> Difference:  # noqa: ANN401 - a row
    return Difference(
        only="outbox",
        topic=row[0],
        id=row[1],
        key=(row[3] or b"").decode(errors="replace"),
        type=row[4],
        place=str(row[2]),
    )
