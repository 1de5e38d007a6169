"""What is kept and for how long, as an operator sees it."""

from typing import Any

from app import wiring
from app.settings import Settings
from consumers import inbox_floor


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
