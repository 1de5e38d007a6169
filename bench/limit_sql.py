"""The physical limit of a batch: domain rows, a bare inbox row and one event row a command, by hand-made statements."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from aiokafka import ConsumerRecord

SQUADS = """
    INSERT INTO squads (id, user_id, name, status, created_at, version)
    SELECT id, user_id, name, 'active', $4, 1 FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS x(id, user_id, name)
"""
MEMBERS = """
    INSERT INTO squad_members (id, squad_id, role, created_at)
    SELECT id, squad_id, role, $4 FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS x(id, squad_id, role)
"""
OWNERS = """
    UPDATE squads s SET user_id = x.user_id, version = s.version + 1
    FROM unnest($1::uuid[], $2::uuid[]) AS x(id, user_id) WHERE s.id = x.id
"""
TASKS = "UPDATE tasks SET status = 'completed', completed_at = $2 WHERE id = ANY($1::uuid[])"
INBOX = """
    INSERT INTO inbox (source, command_id, type, key, correlation_id, payload_hash, outcome, outcome_revision,
                       outcome_final, outcome_body, event_ids, topic, partition, record_offset, ce_time, decided_at,
                       recorded_at)
    SELECT '/bench', id, type, key, id, '', 'applied', 1, true, '', '{}', 'commands', 0, 0, $4, $4, $4
    FROM unnest($1::text[], $2::text[], $3::text[]) AS x(id, type, key)
"""
OUTBOX = """
    INSERT INTO outbox (time, sequence, slot, event_id, topic, key, type, source, body)
    SELECT $4, 1, 0, id, 'events', key, type, '/bench', body
    FROM unnest($1::uuid[], $2::bytea[], $3::text[], $5::bytea[]) AS x(id, key, type, body)
"""


async def apply(connection: Any, records: Sequence[ConsumerRecord]) -> None:  # noqa: ANN401 - asyncpg is untyped
    """Write the rows of some records in one transaction."""
    now = datetime.now(UTC)
    by_type: dict[str, list[dict[str, Any]]] = {}
    ids, types, keys = [], [], []
    for record in records:
        headers = dict(record.headers)
        kind = headers["ce_type"].decode()
        by_type.setdefault(kind, []).append(json.loads(record.value))
        ids.append(headers["ce_id"].decode())
        types.append(kind)
        keys.append(record.key)
    created = by_type.get("squad.create.v1", [])
    moved = by_type.get("squad.transfer-ownership.v1", [])
    members = [(str(uuid4()), each["squad_id"], role) for each in created for role in each.get("roles", ())]
    async with connection.transaction():
        await connection.execute(INBOX, ids, types, [key.decode() for key in keys], now)
        await connection.execute(SQUADS, *_columns(created, "squad_id", "user_id", "name"), now)
        await connection.execute(MEMBERS, *([each[place] for each in members] for place in range(3)), now)
        await connection.execute(OWNERS, *_columns(moved, "squad_id", "new_owner_id"))
        await connection.execute(TASKS, [each["task_id"] for each in by_type.get("squad.complete-task.v1", [])], now)
        event_ids = [str(uuid4()) for _ in records]
        await connection.execute(OUTBOX, event_ids, keys, types, now, [record.value for record in records])


def _columns(rows: list[dict[str, Any]], *names: str) -> list[list[Any]]:
    return [[row[name] for row in rows] for name in names]
