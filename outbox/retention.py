"""Old partitions of the outbox: locked, checked, detached, and dropped later.

The order is what keeps rows from being lost. The parent is locked first, so that nobody can add a row any more; then
it is asked whether every row was published; then the partition is detached; all in one transaction. Asked before the
lock, or after detaching, a row that a late writer commits in between is dropped unpublished: the relay does not see it
in a detached table, and passes over it. `CONCURRENTLY` would detach without the lock.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Final

from sqlalchemy import BigInteger, bindparam, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from db.database import Database
from db.errors import sqlstate
from outbox.day_tables import DETACHED, Table, fetch_tables
from outbox.days import LOCK, partition_name
from outbox.obstacles import find_obstacle

logger = logging.getLogger("squad.relay")

_OCCUPIED: Final = frozenset({"55P03", "57014"})
"""The lock or the statement timeout: somebody uses the table, and the next pass tries again."""

_TRY_LOCK: Final = text("SELECT pg_try_advisory_xact_lock(:lock)").bindparams(bindparam("lock", type_=BigInteger))
_SET_TIMEOUTS: Final = text(
    "SELECT set_config('lock_timeout', :lock_milliseconds, true),"
    " set_config('statement_timeout', :statement_milliseconds, true)"
)


class Retention:
    """Retires the outbox's old partitions, one transaction for each step.

    Args:
        database: where the outbox is.
        keep_days: whole days that stay; what is older is detached.
        drop_delay_seconds: how long a detached table stays.
        lock_timeout_seconds: how long writers may have to queue behind it.
        now: gives the time, with its offset.
    """

    def __init__(
        self,
        *,
        database: Database,
        keep_days: int = 14,
        drop_delay_seconds: float = 86_400,
        lock_timeout_seconds: float = 1,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._keep = timedelta(days=keep_days)
        self._drop_delay = timedelta(seconds=drop_delay_seconds)
        self._lock_timeout_milliseconds = lock_timeout_seconds * 1000
        self._now = now
        self._obstacles: dict[str, str] = {}

    @property
    def obstacles(self) -> Mapping[str, str]:
        """Why old tables stay, by name, as the last pass found."""
        return self._obstacles

    def retires_on(self, day: date) -> date:
        """Say from when on a day's table is to be detached."""
        return day + timedelta(days=1) + self._keep

    def drops_at(self, table: Table) -> datetime:
        """Say from when on a table is to be dropped."""
        midnight = datetime.combine(self.retires_on(table.day), datetime.min.time(), UTC)
        return (table.detached_at or midnight) + self._drop_delay

    async def retire_once(self) -> list[str]:
        """Detach what is old and was published, and drop what was detached long enough ago.

        Returns:
            The names of the tables that were detached or dropped.
        """
        async with self._database.engine.connect() as connection:
            tables = await fetch_tables(connection)
        retired, now = [], self._now()
        for table in tables:
            if table.is_attached and self.retires_on(table.day) <= now.astimezone(UTC).date():
                obstacle = await self._look_first(table.day) or await self.detach_once(table.day)
            elif table.detached_at is not None and self.drops_at(table) <= now:
                obstacle = await self._drop(table.day)
            else:
                continue
            self._tell(table.name, obstacle)
            if obstacle is None:
                retired.append(table.name)
        return retired

    async def detach_once(self, day: date) -> str | None:
        """Lock the outbox, see that a day's rows are all published, and detach their table.

        Returns:
            Why it stays; `None` when it was detached.
        """
        name = partition_name(day)
        try:
            async with self._database.engine.begin() as connection:
                if not await self._begin(connection):
                    return "another process is at it"
                # The parent first, as everybody does. Each may wait half the time, so writers queue no longer than all.
                await connection.execute(text("LOCK TABLE ONLY outbox IN ACCESS EXCLUSIVE MODE"))
                await connection.execute(text(f"LOCK TABLE ONLY {name} IN ACCESS EXCLUSIVE MODE"))
                obstacle = await self.look(connection, day)
                if obstacle is None:
                    await connection.execute(text(f"ALTER TABLE outbox DETACH PARTITION {name}"))
                    await connection.execute(text(f"COMMENT ON TABLE {name} IS '{DETACHED}{self._now().isoformat()}'"))
        except DBAPIError as error:
            return _occupied(error)
        return obstacle

    async def look(self, connection: AsyncConnection, day: date) -> str | None:
        """Say what keeps a day's table, as it looks at this moment."""
        return await find_obstacle(connection, day, recorded_before=self._now() - self._keep)

    async def _look_first(self, day: date) -> str | None:
        """Look without a lock, which proves nothing but saves locking everybody out for what has to stay anyway."""
        async with self._database.engine.connect() as connection:
            return await self.look(connection, day)

    async def _drop(self, day: date) -> str | None:
        name = partition_name(day)
        try:
            async with self._database.engine.begin() as connection:
                if not await self._begin(connection):
                    return "another process is at it"
                await connection.execute(text(f"LOCK TABLE ONLY {name} IN ACCESS EXCLUSIVE MODE"))
                obstacle = await self.look(connection, day)
                if obstacle is None:
                    await connection.execute(text(f"DROP TABLE {name}"))
        except DBAPIError as error:
            return _occupied(error)
        return obstacle

    async def _begin(self, connection: AsyncConnection) -> bool:
        timeouts = {
            "lock_milliseconds": str(max(1, round(self._lock_timeout_milliseconds / 2))),
            "statement_milliseconds": str(max(1, round(self._lock_timeout_milliseconds))),
        }
        await connection.execute(_SET_TIMEOUTS, timeouts)
        return bool(await connection.scalar(_TRY_LOCK, {"lock": LOCK}))

    def _tell(self, name: str, obstacle: str | None) -> None:
        """Log what happened, and an obstacle once."""
        if obstacle is None:
            self._obstacles.pop(name, None)
            logger.info("partition retired name=%s", name)
        elif self._obstacles.get(name) != obstacle:
            self._obstacles[name] = obstacle
            logger.warning("partition stays name=%s reason=%s", name, obstacle)


def _occupied(error: DBAPIError) -> str:
    """Say that somebody uses the table, if that is what the error says.

    Raises:
        DBAPIError: it says something else.
    """
    if sqlstate(error) not in _OCCUPIED:
        raise error
    return "it is in use by an open transaction: tried again at the next pass"
