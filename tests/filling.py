"""Tables filled by the server, so that what happens with a million rows can be tested in seconds."""

from datetime import date

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from outbox.days import POSITIONS_PER_DAY, first_position

_STATE = (
    """
    INSERT INTO inbox (source, command_id, type, key, correlation_id, payload_hash, outcome, outcome_revision,
                       outcome_final, outcome_body, event_ids, topic, partition, record_offset, ce_time, decided_at,
                       recorded_at)
    SELECT '/tests', gen_random_uuid()::text, 't', 'k', 'c', '', 'applied', 1, true, '', '{}', 'commands', 0, n,
           sent_at, sent_at, sent_at
    FROM generate_series(1, :rows) n, LATERAL (SELECT now() - n * interval '1 second' AS sent_at) s
    """,
    """
    INSERT INTO dead_letters (id, topic, partition, record_offset, timestamp, header_names, header_values, source,
                              command_id, reason, detail, state)
    SELECT gen_random_uuid(), 'commands', 0, n, now(), '{}', '{}', '/tests', gen_random_uuid()::text, 'r', 'd', 'open'
    FROM generate_series(1, :rows / 10) n
    """,
    """
    INSERT INTO users (id, email, email_key, name, created_at, version)
    SELECT gen_random_uuid(), n || '@example.org', n || '@example.org', 'User', now(), 1
    FROM generate_series(1, :rows) n
    """,
    """
    INSERT INTO squads (id, user_id, name, status, created_at, version)
    SELECT gen_random_uuid(), id, 'Squad', 'active', now(), 1 FROM users LIMIT :rows
    """,
    """
    INSERT INTO projects (id, squad_id, name, status, created_at)
    SELECT gen_random_uuid(), id, 'Project', 'active', now() FROM squads LIMIT :rows
    """,
    """
    INSERT INTO tasks (id, squad_id, project_id, title, status, priority, created_at)
    SELECT gen_random_uuid(), squad_id, id, 'Task', 'pending', 'normal', now() FROM projects LIMIT :rows
    """,
    """
    INSERT INTO usage_metrics (id, squad_id, metric, period, value)
    SELECT gen_random_uuid(), id, 'tokens', '2026-05-01', 1 FROM squads LIMIT :rows / 4
    """,
    """
    INSERT INTO feedback (id, squad_id, rating, created_at)
    SELECT gen_random_uuid(), id, 5, now() FROM squads LIMIT :rows / 4
    """,
)

_OUTBOX = """
    INSERT INTO outbox (position, txid, time, slot, event_id, topic, key, type, source, body)
    SELECT CAST(:first AS bigint) + day * CAST(:positions_per_day AS bigint) + n,
           CAST(CAST({txid} AS text) AS xid8), now(), n % 1024, gen_random_uuid(),
           'squad.events', 'key', 'type', 'source', decode(repeat('00', 100), 'hex')
    FROM generate_series(0, :days - 1) day, generate_series(0, :rows_per_day - 1) n
    """


async def fill_state(connection: AsyncConnection, *, rows: int) -> None:
    """Put so many rows into each table that a batch reads, a tenth into the dead letters, and vacuum.

    Args:
        connection: in autocommit.
        rows: how many; each user has a squad with a project with a task.
    """
    # Every foreign key fits as it is made; checking a million of them takes longer than the rows.
    await connection.execute(text("SET session_replication_role = replica"))
    for statement in _STATE:
        await connection.execute(text(statement), {"rows": rows})
    await connection.execute(text("RESET session_replication_role"))
    await connection.execute(text("VACUUM ANALYZE"))


async def fill_outbox(connection: AsyncConnection, first: date, *, days: int, rows_per_day: int, txid: str) -> None:
    """Put so many rows into the tables of some days, which are there, and vacuum.

    Args:
        connection: in autocommit.
        first: the first of the days.
        days, rows_per_day: how many.
        txid: SQL of the transaction id, by `day` and `n`, both from 0.
    """
    place = {"first": first_position(first), "positions_per_day": POSITIONS_PER_DAY}
    statement = text(_OUTBOX.format(txid=txid))
    await connection.execute(statement, place | {"days": days, "rows_per_day": rows_per_day})
    await connection.execute(text("VACUUM ANALYZE outbox"))
