"""What keeps a day's table from going: rows that are not published, held, too young, or that nobody answers for."""

from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy import BigInteger, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from messages.keys import SLOTS
from outbox.days import first_position, partition_name

# "Is there one?" is planned as if there were many, by reading the table until one is met; there is none.
_BY_INDEX: Final = text("SELECT set_config('enable_seqscan', 'off', true)")

# One statement, one moment: a relay that holds rows and moves its cursor does both in one transaction.
_CHECK: Final = """
    SELECT
        (SELECT last_value FROM outbox_position) AS last_position,
        (SELECT recorded_at FROM {table} ORDER BY position DESC LIMIT 1) AS last_recorded_at,
        (SELECT count(*) FROM held WHERE position >= :low AND position < :high) AS held,
        (SELECT COALESCE(sum(slot_to - slot_from + 1), 0) FROM relay_cursors) AS slots,
        ARRAY(
            SELECT c.shard FROM relay_cursors c
            WHERE (c.system_identifier, c.database_oid, c.outbox_oid) IS DISTINCT FROM (
                      (SELECT system_identifier FROM pg_control_system()),
                      (SELECT CAST(oid AS bigint) FROM pg_database WHERE datname = current_database()),
                      CAST(CAST('outbox' AS regclass) AS bigint)
                  )
               OR pg_snapshot_xmax(c.previous) > pg_snapshot_xmax(pg_current_snapshot())
            ORDER BY c.shard
        ) AS foreign_shards,
        ARRAY(
            SELECT c.shard FROM relay_cursors c
            WHERE EXISTS (
                      SELECT FROM {table} o
                      WHERE o.txid >= pg_snapshot_xmax(c.previous) AND o.slot BETWEEN c.slot_from AND c.slot_to
                  )
               OR EXISTS (
                      SELECT FROM {table} o
                      WHERE o.txid = ANY(ARRAY(SELECT pg_snapshot_xip(c.previous)))
                        AND o.slot BETWEEN c.slot_from AND c.slot_to
                  )
            ORDER BY c.shard
        ) AS behind"""


async def find_obstacle(connection: AsyncConnection, day: date, *, recorded_before: datetime) -> str | None:
    """Say why a day's table must stay; `None`: every row is published, old enough, and held by nobody.

    Args:
        connection: in a transaction; for a partition one that has locked the outbox, if it is to mean anything.
        day: whose table.
        recorded_before: its rows were to be written before this.
    """
    low, high = first_position(day), first_position(day + timedelta(days=1))
    check = text(_CHECK.format(table=partition_name(day))).bindparams(
        bindparam("low", low, type_=BigInteger), bindparam("high", high, type_=BigInteger)
    )
    await connection.execute(_BY_INDEX)
    found = (await connection.execute(check)).one()
    if found.last_position < high:
        return "rows are still written to it"
    if found.slots < SLOTS:
        return f"{SLOTS - found.slots} of {SLOTS} slots have no relay"
    if found.foreign_shards:
        return f"{_shards(found.foreign_shards)}: no relay has taken its cursor over in this database"
    if found.behind:
        return f"{_shards(found.behind)} has not published all of it"
    if found.held:
        return f"{found.held} of its rows are held"
    if found.last_recorded_at is not None and found.last_recorded_at >= recorded_before:
        return f"its last row was written at {found.last_recorded_at:%Y-%m-%d %H:%M} UTC"
    return None


def _shards(numbers: list[int]) -> str:
    return f"shard {', '.join(map(str, numbers))}"
