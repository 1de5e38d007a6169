"""How far a run has come, and with how many deadlocks, as the database says; while it is away, nobody knows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError

from app.settings import Settings
from db.database import Database
from db.models import Checkpoint, HeldRow, Lease
from outbox.status import fetch_status

UNREADABLE = (OSError, SQLAlchemyError, TimeoutError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a run has come.

    Args:
        undecided: records that are acknowledged, but not behind a checkpoint.
        unpublished: outbox rows that no relay's cursor has passed.
        held: outbox rows that wait because of a refusal.
        leases: who holds each lease.
    """

    undecided: int
    unpublished: int
    held: int
    leases: Mapping[str, str]

    @property
    def is_drained(self) -> bool:
        """Whether nothing is left to do."""
        return not self.undecided and not self.unpublished


_DEADLOCKS: Final = text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")


async def count_deadlocks(database: Database) -> int | None:
    """Ask the server how often it ended a transaction of a database because of one, since its last crash.

    Returns:
        The number; nothing, if the server does not answer.
    """
    try:
        async with database.engine.connect() as connection:
            return int(await connection.scalar(_DEADLOCKS) or 0)
    except UNREADABLE:
        return None


async def look(settings: Settings, database: Database, ends: Mapping[int, int]) -> Progress:
    """Look how far a run has come.

    Args:
        settings: of the run.
        database: of the run.
        ends: by partition, the offset after the last record that was acknowledged.

    Raises:
        UNREADABLE: the database is away.
    """
    statement = select(Checkpoint.partition, Checkpoint.next_offset).where(
        Checkpoint.consumer_group == settings.consumer_group, Checkpoint.topic == settings.topic("commands")
    )
    async with database.engine.connect() as connection:
        alone = await connection.execution_options(isolation_level="AUTOCOMMIT")
        checkpoints = {row.partition: row.next_offset for row in await alone.execute(statement)}
        held = await alone.scalar(select(func.count()).select_from(HeldRow))
        leases = {row.name: row.holder for row in await alone.execute(select(Lease.name, Lease.holder))}
        shards = await fetch_status(alone)
    return Progress(
        undecided=sum(max(0, end - checkpoints.get(partition, 0)) for partition, end in ends.items()),
        unpublished=sum(shard.backlog_rows for shard in shards),
        held=held or 0,
        leases=leases,
    )
