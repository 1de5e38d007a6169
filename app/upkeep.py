"""What is kept and for how long, as an operator sees it."""

from datetime import UTC, datetime, time
from typing import Any, Final

from app import wiring
from app.settings import Settings
from consumers import inbox_floor
from outbox.day_tables import Table, fetch_tables
from outbox.days import first_position

MIDNIGHT: Final = time()


async def inbox_status(settings: Settings) -> dict[str, Any]:
    """Give the inbox's floor, what holds it back, and how large the inbox is.

    Raises:
        consumers.inbox.NoFloorError: the floor's row is gone.
    """
    async with wiring.open_database(settings, pool_size=1) as database, database.sessions() as session:
        standing = await inbox_floor.fetch_standing(session, wiring.build_rule(settings))
        size = await inbox_floor.fetch_size(session, standing.floor)
    return {
        "floor": standing.floor,
        "may_rise_to": standing.next_floor,
        "held_back_by": standing.held_back,
        "oldest": size.oldest,
        "rows_below_floor": size.below_floor,
        "rows_estimated": size.rows,
        "bytes": size.bytes,
    }


async def outbox_partitions(settings: Settings) -> list[dict[str, Any]]:
    """Give every day's table of the outbox: what it holds, what it waits for, and when it goes."""
    async with wiring.open_database(settings, pool_size=1) as database:
        retention = wiring.build_retention(settings, database)
        async with database.engine.connect() as connection:
            tables = await fetch_tables(connection)
            stays = {table.name: await retention.look(connection, table.day) for table in tables}
    return [
        {
            "name": table.name,
            "day": table.day,
            "first_position": first_position(table.day),
            "state": _state_of(table),
            "rows_estimated": table.rows,
            "bytes": table.bytes,
            "held_back_by": stays[table.name],
            "detached_from": table.detached_at or datetime.combine(retention.retires_on(table.day), MIDNIGHT, UTC),
            "dropped_from": None if table.was_detached_by_hand else retention.drops_at(table),
        }
        for table in tables
    ]


def _state_of(table: Table) -> str:
    if table.is_attached:
        return "attached"
    return "detached by hand" if table.was_detached_by_hand else "detached"
