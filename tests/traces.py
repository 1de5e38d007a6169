"""All that records leave in the database, volatile columns aside, to be compared between two ways of applying them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, Self

from sqlalchemy import text

from db.driver import fetch_records
from tests.applying import STATE, Bench

_OUTBOX: Final = (
    "topic, event_id::text, key, type, source, time, sequence, slot, correlation_id, causation_id, traceparent,"
    " dataschema, content_type, extensions, header_names, header_values, body"
)
_INBOX: Final = (
    "source, command_id, type, key, correlation_id, payload_hash, outcome, outcome_revision, outcome_final,"
    " outcome_body, event_ids::text[], topic, partition, record_offset, ce_time, decided_at, reply_to"
)
_CAUSATION, _COMMAND, _OFFSET = 9, 1, 13
"""Where a row of the outbox has its cause, one of the inbox its command and its record's offset, as read here."""
_LETTERS: Final = (
    "id::text, topic, partition, record_offset, timestamp, key, value, header_names, header_values, source, command_id,"
    " type, reason, detail, attempts, state, replay_count"
)

Row = tuple[Any, ...]


@dataclass(slots=True)
class Trace:
    """What records left behind.

    Not compared are a row's position and transaction, when it was recorded, and a dead letter's times: they say when
    and in which company it was written, and nothing else.

    Args:
        outbox: its rows, by position.
        inbox, letters: their rows, by command and by place.
        state: the domain's tables, each by id.
        checkpoints: the next offset, by partition.
    """

    outbox: list[Row] = field(default_factory=list)
    inbox: list[Row] = field(default_factory=list)
    letters: list[Row] = field(default_factory=list)
    state: dict[str, list[Row]] = field(default_factory=dict)
    checkpoints: dict[int, int] = field(default_factory=dict)

    def since(self, before: "Trace") -> Self:
        """Leave out what was there before, as it is now; the state and the checkpoints stay whole."""
        known = {row[:2]: row for row in before.inbox}
        kept = {row[0]: row for row in before.letters}
        return type(self)(
            outbox=self.outbox[len(before.outbox) :],
            inbox=[row for row in self.inbox if known.get(row[:2]) != row],
            letters=[row for row in self.letters if kept.get(row[0]) != row],
            state=self.state,
            checkpoints=self.checkpoints,
        )

    def of(self, command_id: str) -> Self:
        """Give what one command left, its letters aside."""
        return type(self)(
            outbox=[row for row in self.outbox if row[_CAUSATION] == command_id],
            inbox=[row for row in self.inbox if row[_COMMAND] == command_id],
        )

    def later(self, offsets: int) -> list[Row]:
        """Give the inbox rows as they are, had their records come so many offsets later."""
        return [(*row[:_OFFSET], row[_OFFSET] + offsets, *row[_OFFSET + 1 :]) for row in self.inbox]


async def trace(bench: Bench) -> Trace:
    """Read it, past what SQLAlchemy would make of each value: there are thousands of traces to compare."""
    async with bench.database.sessions() as session:

        async def rows(query: str) -> list[Row]:
            return [tuple(row) for row in await fetch_records(session, text(query), {})]

        return Trace(
            outbox=await rows(f"SELECT {_OUTBOX} FROM outbox ORDER BY position"),
            inbox=await rows(f"SELECT {_INBOX} FROM inbox ORDER BY source, command_id"),
            letters=await rows(f"SELECT {_LETTERS} FROM dead_letters ORDER BY partition, record_offset"),
            state={table: await rows(f"SELECT * FROM {table} ORDER BY id") for table in STATE},
            checkpoints={row[0]: row[1] for row in await rows("SELECT partition, next_offset FROM checkpoints")},
        )


def in_order(rows: Iterable[Row]) -> list[Row]:
    """Give inbox rows by command, as `trace` does."""
    return sorted(rows, key=lambda row: row[:2])
