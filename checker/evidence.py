"""What a run left behind, as plain data: every record of its topics, and the rows of its tables."""

import json
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from checker.history import Attempt

Headers = tuple[tuple[str, bytes | None], ...]


class Place(NamedTuple):
    """Where a command's record is on the commands topic."""

    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}@{self.offset}"


class Identity(NamedTuple):
    """What makes a command the same one."""

    source: str
    id: str

    def __str__(self) -> str:
        return f"{self.source} {self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicRecord:
    """A record as a topic has it."""

    place: Place
    key: bytes | None
    value: bytes | None
    headers: Headers

    def header(self, name: str) -> str | None:
        """Give the last header of this name as text."""
        for each, content in reversed(self.headers):
            if each == name:
                return None if content is None else content.decode(errors="replace")
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicDump:
    """A whole topic.

    Args:
        name: with its prefix.
        records: in offset order within each partition.
        begins, ends: by partition, the first offset that is still there, and the one after the last.
    """

    name: str
    records: Sequence[TopicRecord] = ()
    begins: Mapping[int, int] = field(default_factory=dict)
    ends: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxRow:
    """A decided command, as the table `inbox` has it."""

    identity: Identity
    type: str
    key: str
    outcome: str
    revision: int
    final: bool
    body: bytes
    event_ids: tuple[str, ...]
    place: Place
    reply_to: str | None = None

    @property
    def told(self) -> dict[str, Any]:
        """What the body says; nothing, if it cannot be read."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def code(self) -> str | None:
        """The code of the rejection or dead letter; absent when applied."""
        code: str | None = self.told.get("code")
        return code


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterRow:
    """A record nobody could apply, as the table `dead_letters` has it."""

    id: str
    place: Place
    key: bytes | None
    value: bytes | None
    source: str | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedRow:
    """A record that waits in a stream, as the table `parked` has it."""

    stream: str
    number: int
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxRow:
    """A message to publish, as the table `outbox` has it; `recorded_at` tells two rows of one event id apart."""

    position: int
    topic: str
    event_id: str
    key: bytes | None
    body: bytes | None
    sequence: int | None
    recorded_at: datetime


Rows = Mapping[str, Mapping[str, Any]]
"""Rows of a domain table by id, or by key where events tell no id: the columns that events carry, and nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The domain's tables, as they are stored or as the events tell them."""

    users: Rows
    squads: Rows
    members: Rows
    projects: Rows
    tasks: Rows
    feedback: Rows
    usage: Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """The database.

    Args:
        inbox, letters, outbox: their rows, the outbox by position.
        checkpoints: by partition of the commands topic, the next offset.
        versions: of every root, by stream.
        state: the domain's tables.
        held: positions of outbox rows that wait, because Kafka refused them or one before them.
        skipped: positions of outbox rows that nobody is to publish any more.
        diverted: positions of those that went to the dead letters instead.
        parked_streams: of each stream that waits, the id of the dead letter that it waits behind.
        parked: what waits there.
    """

    inbox: Sequence[InboxRow]
    letters: Sequence[LetterRow]
    outbox: Sequence[OutboxRow]
    checkpoints: Mapping[int, int]
    versions: Mapping[str, int]
    state: State
    held: AbstractSet[int] = frozenset()
    skipped: AbstractSet[int] = frozenset()
    diverted: AbstractSet[int] = frozenset()
    parked_streams: Mapping[str, str] = field(default_factory=dict)
    parked: Sequence[ParkedRow] = ()

    @property
    def absent(self) -> AbstractSet[int]:
        """The positions of rows that need not be on their topics."""
        return self.held | self.skipped | self.diverted


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that a judgement rests on.

    Args:
        history: what the producers recorded, one after the other.
        commands, events, outcomes, dead_letters: the topics.
        tables: the database.
        replies: the topics to which outcomes may go besides.
        repeats_allowed: how many records may be repeats by the relay, a page for each crash or broken connection;
            unknown, if absent.
        healed_at: when the last fault was over, seconds since 1970, UTC; absent: there was none, or nobody knows.
        seed: by which the run is repeated.
    """

    history: Sequence[Attempt]
    commands: TopicDump
    events: TopicDump
    outcomes: TopicDump
    dead_letters: TopicDump
    tables: Tables
    replies: Sequence[TopicDump] = ()
    repeats_allowed: int | None = None
    healed_at: float | None = None
    seed: int | None = None
