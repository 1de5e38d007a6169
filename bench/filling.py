"""Filling tables by the server itself: rows that look like those of years, made in seconds."""

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import BigInteger, Integer, Text, TextClause, bindparam, text

from db import deadlines
from db.database import Database
from outbox.days import first_position
from outbox.partitions import Partitions

COLUMNS: Final = """
    recorded_at, time, sequence, slot, event_id, topic, key, type, source, correlation_id, causation_id, dataschema,
    content_type, body"""

ROWS: Final = """
    now(), now(), n, n % 1024, gen_random_uuid(), :topic,
    convert_to(CAST(CAST(md5(CAST(n % :keys AS text)) AS uuid) AS text), 'UTF8'),
    'squad.created.v1', '/agent-squad', CAST(gen_random_uuid() AS text), CAST(gen_random_uuid() AS text),
    'urn:agent-squad:schema:squad.created.v1:1', 'application/json',
    convert_to(
        '{"squad_id":"' || gen_random_uuid() || '","user_id":"' || gen_random_uuid()
        || '","name":"Squad ' || n || '","members":[{"member_id":"' || gen_random_uuid()
        || '","role":"developer"},{"member_id":"' || gen_random_uuid() || '","role":"tester"}]}', 'UTF8')
    FROM generate_series(1, :number) n"""

BODY_BYTES: Final = "about 260"
"""Of a row's body."""

_TYPES: Final = (
    bindparam("topic", type_=Text),
    bindparam("keys", type_=BigInteger),
    bindparam("number", type_=BigInteger),
)

FILL: Final = text(f"INSERT INTO outbox ({COLUMNS}) SELECT {ROWS}").bindparams(*_TYPES)

FILL_FROM: Final = text(
    f"INSERT INTO outbox (position, {COLUMNS}) SELECT CAST(:first AS bigint) + n, {ROWS}"
).bindparams(*_TYPES, bindparam("first", type_=BigInteger))

SEE_ALL: Final = text("UPDATE relay_cursors SET previous = pg_current_snapshot(), current = NULL, high = NULL")

FILL_INBOX: Final = text(
    """
    INSERT INTO inbox (source, command_id, type, key, correlation_id, payload_hash, outcome, outcome_revision,
                       outcome_final, outcome_body, event_ids, topic, partition, record_offset, ce_time, decided_at,
                       recorded_at)
    SELECT '/filled', gen_random_uuid(), 'squad.create.v1', gen_random_uuid(), '', sha256(convert_to('', 'UTF8')),
           'applied', 1, true, convert_to(repeat('x', 150), 'UTF8'), ARRAY[gen_random_uuid()], 'filled', 0, n,
           now(), now(), now()
    FROM generate_series(1, :number) n
    """
).bindparams(bindparam("number", type_=Integer))

FILL_SQUADS: Final = text(
    """
    INSERT INTO squads (id, user_id, name, status, created_at, version)
    SELECT CAST(md5(CAST(:first + n - 1 AS text)) AS uuid), CAST(:owner AS uuid), 'Squad', 'active', now(), 1
    FROM generate_series(1, :number) n
    """
).bindparams(bindparam("first", type_=Integer), bindparam("number", type_=Integer))


async def fill(database: Database, statement: TextClause, **parameters: object) -> None:
    """Run one of the statements above, however long it takes."""
    async with database.transaction() as session:
        await session.execute(text("SET LOCAL statement_timeout = '10min'"))
        await deadlines.allow(await session.connection(), seconds=600)
        await session.execute(statement, parameters)


async def add_unpublished(database: Database, *, topic: str, number: int, keys: int = 10_000) -> None:
    """Commit rows to relay.

    Args:
        database: where the outbox is.
        topic: where they are to go.
        number: how many.
        keys: how many different keys they have.
    """
    await fill(database, FILL, topic=topic, number=number, keys=keys)


async def add_published(database: Database, *, topic: str, number: int, days: int = 14) -> None:
    """Commit rows of the last days, as many each day, that the relay's cursor has behind it.

    Args:
        database: where the outbox is.
        topic: where they went.
        number: how many in all.
        days: in how many partitions.
    """
    now = datetime.now(UTC)
    both = asyncio.Semaphore(2)

    async def fill_day(ago: int) -> None:
        share, first = number // days + (ago <= number % days), first_position((now - timedelta(days=ago)).date())
        async with both:
            await fill(database, FILL_FROM, topic=topic, number=share, keys=10_000, first=first)

    for ago in range(days, 0, -1):
        day = now - timedelta(days=ago)
        await Partitions(database=database, days_ahead=0, now=lambda day=day: day).maintain_once()  # type: ignore[misc]
    async with asyncio.TaskGroup() as group:
        for ago in range(days, 0, -1):
            group.create_task(fill_day(ago))
    await see_all(database)


def filled_squad(number: int) -> str:
    """Give the id of a squad that `FILL_SQUADS` made, counted from 0."""
    return str(UUID(hashlib.md5(str(number).encode(), usedforsecurity=False).hexdigest()))


async def see_all(database: Database) -> None:
    """Put the relay's cursor behind everything that is committed, and let the planner know the tables."""
    async with database.transaction() as session:
        await session.execute(SEE_ALL)
    await vacuum(database)


async def vacuum(database: Database) -> None:
    """Do what autovacuum would have done by then."""
    async with database.engine.connect() as connection:
        alone = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await alone.execute(text("SET statement_timeout = '10min'"))
        await deadlines.allow(alone, seconds=600)
        await alone.execute(text("VACUUM ANALYZE"))
