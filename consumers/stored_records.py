"""Raw records as tables keep them: read back whole, as the decoder takes them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from consumers.records import EPOCH, LOG_APPEND_TIME, Place

_MILLISECOND: Final = timedelta(milliseconds=1)

NAMES: Final = ("topic", "partition", "record_offset", "timestamp", "key", "value", "header_names", "header_values")
"""The columns of a record, in whatever table."""

COLUMNS: Final = ", ".join(NAMES)
"""What `read_row` needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRecord:
    """A record that was kept; the decoder sees no difference (`consumers.records.Record`).

    Args:
        timestamp: in milliseconds since 1970, UTC.
        timestamp_type: it was accepted when it was read, so it counts as the broker's.
    """

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] = field(default=())
    timestamp_type: int | None = LOG_APPEND_TIME

    @property
    def place(self) -> Place:
        """Where it was."""
        return Place(
            topic=self.topic,
            partition=self.partition,
            offset=self.offset,
            at=EPOCH + timedelta(milliseconds=self.timestamp),
        )


def read_row(row: Any) -> StoredRecord:  # noqa: ANN401 - a row with `COLUMNS`
    """Give the record that a row keeps."""
    return StoredRecord(
        topic=row.topic,
        partition=row.partition,
        offset=row.record_offset,
        timestamp=(row.timestamp - EPOCH) // _MILLISECOND,
        key=row.key,
        value=row.value,
        headers=list(zip(row.header_names, row.header_values, strict=True)),
    )


_OF_LETTERS: Final = text(
    f"SELECT CAST(id AS text) AS id, {COLUMNS} FROM dead_letters WHERE id = ANY(CAST(:ids AS uuid[]))"  # noqa: S608 - constants only
)


async def fetch_of_letters(session: AsyncSession, ids: Sequence[str]) -> dict[str, StoredRecord]:
    """Give the records of dead letters, by the letters' ids."""
    return {row.id: read_row(row) for row in await session.execute(_OF_LETTERS, {"ids": list(ids)})}
