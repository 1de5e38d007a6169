"""Reads the tables that a judgement rests on, all in one snapshot."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlalchemy import Table, Text, bindparam, cast, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from checker.evidence import Identity, InboxRow, LetterRow, OutboxRow, ParkedRow, Place, Rows, State, Tables
from checker.rebuilt import usage_key
from db.models import Base

STATE_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "users": ("is_active", "email_verified", "plan_tier", "created_at", "deleted_at", "erased_at"),
    "squads": ("user_id", "name", "description", "status", "created_at"),
    "squad_members": ("squad_id", "user_id", "role", "created_at", "removed_at"),
    "projects": ("squad_id", "name", "status", "created_at"),
    "tasks": ("squad_id", "project_id", "title", "priority", "status", "assignee_id", "created_at", "completed_at"),
    "feedback": ("squad_id", "task_id", "user_id", "rating", "created_at", "withdrawn_at"),
    "usage_metrics": ("squad_id", "value", "limit_value"),
}
"""What events carry of each table, so that it can be rebuilt from them: all but ids, versions and what is personal."""

SKIPPED: Final = ("holds skip", "relay skipped")
DIVERTED: Final = ("holds divert", "relay diverted")
"""How the audit calls what became of an outbox row that is not on its topic; and will become, if it is held yet."""

_NOTED: Final = text(
    r"""
    SELECT CAST(substring(target FROM '^outbox/(\d+)$') AS bigint) FROM audit
    WHERE action = ANY(:actions) AND target ~ '^outbox/\d+$'
    """
).bindparams(bindparam("actions", type_=ARRAY(Text)))


async def read_tables(engine: AsyncEngine, *, group: str, commands_topic: str) -> Tables:
    """Read the tables of a database that holds one run.

    Args:
        engine: a fresh one, of the database.
        group: the consumer group whose checkpoints count.
        commands_topic: the full name of the topic whose checkpoints count.
    """
    async with engine.connect() as connection:
        await connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
        held = {row[0] for row in await _fetch(connection, "held", ("position",))}
        skipped = await _read_noted(connection, SKIPPED) - held
        return Tables(
            inbox=await _read_inbox(connection),
            letters=await _read_letters(connection),
            outbox=await _read_outbox(connection),
            checkpoints=await _read_checkpoints(connection, group, commands_topic),
            versions=await _read_versions(connection),
            state=await _read_state(connection),
            held=held,
            skipped=skipped,
            # Of a row for which both was asked, the relay skips it.
            diverted=await _read_noted(connection, DIVERTED) - held - skipped,
            parked_streams=await _read_parked_streams(connection),
            parked=await _read_parked(connection),
        )


def _table(name: str) -> Table:
    return Base.metadata.tables[name]


async def _fetch(
    connection: AsyncConnection, name: str, columns: Iterable[str], *order: str, **where: object
) -> list[Any]:
    table = _table(name)
    statement = select(*(_readable(table, column) for column in columns)).order_by(*(table.c[each] for each in order))
    return list(await connection.execute(statement.filter_by(**where)))


def _readable(table: Table, name: str) -> Any:  # noqa: ANN401 - a column or a cast of one
    """Ids are compared as the text that they are on the wire."""
    match str(table.c[name].type):
        case "UUID" | "CHAR(32)":
            return cast(table.c[name], Text)
        case "ARRAY":
            return cast(table.c[name], ARRAY(Text))
        case _:
            return table.c[name]


async def _read_inbox(connection: AsyncConnection) -> list[InboxRow]:
    columns = ("source", "command_id", "type", "key", "outcome", "outcome_revision", "outcome_final", "outcome_body")
    rows = await _fetch(connection, "inbox", (*columns, "event_ids", "partition", "record_offset", "reply_to"))
    return [
        InboxRow(
            identity=Identity(row[0], row[1]),
            type=row[2],
            key=row[3],
            outcome=row[4],
            revision=row[5],
            final=row[6],
            body=row[7],
            event_ids=tuple(row[8]),
            place=Place(row[9], row[10]),
            reply_to=row[11],
        )
        for row in rows
    ]


async def _read_letters(connection: AsyncConnection) -> list[LetterRow]:
    rows = await _fetch(
        connection, "dead_letters", ("id", "partition", "record_offset", "key", "value", "source", "reason")
    )
    return [
        LetterRow(id=row[0], place=Place(row[1], row[2]), key=row[3], value=row[4], source=row[5], reason=row[6])
        for row in rows
    ]


async def _read_parked_streams(connection: AsyncConnection) -> dict[str, str]:
    return {row[0]: row[1] for row in await _fetch(connection, "parked_streams", ("stream", "dead_letter_id"))}


async def _read_parked(connection: AsyncConnection) -> list[ParkedRow]:
    rows = await _fetch(connection, "parked", ("stream", "number", "partition", "record_offset"))
    return [ParkedRow(stream=row[0], number=row[1], place=Place(row[2], row[3])) for row in rows]


async def _read_outbox(connection: AsyncConnection) -> list[OutboxRow]:
    columns = ("position", "topic", "event_id", "key", "body", "sequence", "recorded_at")
    rows = await _fetch(connection, "outbox", columns, "position")
    return [OutboxRow(**dict(zip(columns, row, strict=True))) for row in rows]


async def _read_checkpoints(connection: AsyncConnection, group: str, topic: str) -> dict[int, int]:
    rows = await _fetch(connection, "checkpoints", ("partition", "next_offset"), consumer_group=group, topic=topic)
    return {row[0]: row[1] for row in rows}


async def _read_versions(connection: AsyncConnection) -> dict[str, int]:
    roots = [row for table in ("users", "squads") for row in await _fetch(connection, table, ("id", "version"))]
    return {row[0]: row[1] for row in roots}


async def _read_state(connection: AsyncConnection) -> State:
    async def rows(table: str) -> Rows:
        columns = STATE_COLUMNS[table]
        found = await _fetch(connection, table, ("id", *columns))
        return {row[0]: dict(zip(columns, row[1:], strict=True)) for row in found}

    return State(
        users=await rows("users"),
        squads=await rows("squads"),
        members=await rows("squad_members"),
        projects=await rows("projects"),
        tasks=await rows("tasks"),
        feedback=await rows("feedback"),
        usage=await _read_usage(connection),
    )


async def _read_usage(connection: AsyncConnection) -> Rows:
    columns = STATE_COLUMNS["usage_metrics"]
    found = await _fetch(connection, "usage_metrics", ("metric", "period", *columns))
    return {usage_key(row[2], row[0], row[1]): dict(zip(columns, row[2:], strict=True)) for row in found}


async def _read_noted(connection: AsyncConnection, actions: Iterable[str]) -> set[int]:
    return set(await connection.scalars(_NOTED, {"actions": list(actions)}))
