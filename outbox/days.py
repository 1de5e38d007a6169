"""Days and positions: a position has its day in front, so a table is found from a date and the other way round."""

from datetime import UTC, date, datetime
from typing import Final

POSITIONS_PER_DAY: Final = 10**10

LOCK: Final = 0x6F7574626F780001
"""The number of maintenance's advisory lock: "outbox" in ASCII, then 1."""

_EPOCH: Final = date(1970, 1, 1)
_NAME: Final = "outbox_d%Y%m%d"


def first_position(day: date) -> int:
    """Give the lowest position of a day (UTC)."""
    return (day - _EPOCH).days * POSITIONS_PER_DAY


def partition_name(day: date) -> str:
    """Give the name of a day's table, such as `outbox_d20260131`."""
    return f"{day:{_NAME}}"


def day_of(name: str) -> date:
    """Give the day of a table's name.

    Raises:
        ValueError: it is no such name.
    """
    return datetime.strptime(name, _NAME).replace(tzinfo=UTC).date()
