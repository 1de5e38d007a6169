"""The outbox's partitions: one range of positions per day, made ahead, and the sequence's jump into the day's range.

A position is `days since 1970-01-01 * 10^10 + n`, so a partition is found from a date and the other way round. More
than 10^10 rows in one day run on into the next day's range.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Final

from sqlalchemy import BigInteger, bindparam, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from db.database import Database
from db.telling import Spell
from db.waiting import wait_for
from outbox.days import LOCK, first_position, partition_name
from outbox.retention import Retention

_NEAR_END: Final = 10**6
"""So close below the target the sequence runs into it by itself: rivals could pass it between check and jump."""

logger = logging.getLogger("squad.relay")

_TRY_LOCK: Final = text("SELECT pg_try_advisory_xact_lock(:lock)").bindparams(bindparam("lock", type_=BigInteger))
_SET_LOCK_TIMEOUT: Final = text("SELECT set_config('lock_timeout', :milliseconds, true)")
_ATTACHED: Final = text(
    "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'outbox'::regclass"
)
# One statement, so that nothing comes between the check and the jump but other transactions' nextval, which only move
# forward. Never greatest(target, last_value): it moved the sequence backwards under them.
_JUMP: Final = text(
    "SELECT setval('outbox_position', :target, false) FROM outbox_position WHERE last_value < :target - :near_end"
).bindparams(bindparam("target", type_=BigInteger), bindparam("near_end", type_=BigInteger))


class Partitions:
    """Keeps a table ready for today and the coming days, and the sequence in today's range.

    Any number of processes may run it: one at a time does the work, the others pass.

    Args:
        database: where the outbox is.
        days_ahead: how many days after today have a table.
        lock_timeout_seconds: how long a statement may wait for a lock; it is tried again at the next pass, so that no
            writer ever queues behind it for longer.
        retention: retires old partitions; without it none is.
        interval_seconds: between two passes.
        now: gives the time, with its offset.
        deploy_seconds: how long a half-done deploy is waited for.
    """

    def __init__(
        self,
        *,
        database: Database,
        days_ahead: int = 3,
        lock_timeout_seconds: float = 1,
        retention: Retention | None = None,
        interval_seconds: float = 60,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        deploy_seconds: float = 60,
    ) -> None:
        self._database = database
        self._days_ahead = days_ahead
        self._lock_timeout_milliseconds = str(round(lock_timeout_seconds * 1000))
        self._retention = retention
        self._interval_seconds = interval_seconds
        self._now = now
        self._deploy_seconds = deploy_seconds
        self._stopped = asyncio.Event()

    async def run(self) -> None:
        """Maintain until `stop`; what is transient, a lock timeout among it, waits for the next pass.

        Raises:
            HalfDeployedError: a table or right is missing, and did not come in time.
            SQLAlchemyError: any other database error.
        """
        spell = Spell(logger, "partitions postponed", deploy_seconds=self._deploy_seconds)
        while not self._stopped.is_set():
            try:
                await self.maintain_once()
                spell.end()
            except (SQLAlchemyError, OSError) as error:
                spell.bear(error)
            await wait_for(self._stopped, self._interval_seconds)

    def stop(self) -> None:
        """Let `run` end after the pass it is in; may be called again."""
        self._stopped.set()

    async def maintain_once(self) -> bool:
        """Make the missing tables, put the sequence into today's range, then retire what is old.

        Returns:
            False when another process was at it and this one did nothing.
        """
        today = self._now().astimezone(UTC).date()
        async with self._database.engine.begin() as connection:
            if not await self._lock(connection):
                return False
            made = await self._make_tables(connection, today)
        for name in made:
            logger.info("partition made name=%s", name)
        # In a transaction of its own: setval is not undone by a rollback, the tables are.
        async with self._database.engine.begin() as connection:
            if not await self._lock(connection):
                return False
            await self._jump(connection, today)
        if self._retention is not None:
            await self._retention.retire_once()
        return True

    async def _lock(self, connection: AsyncConnection) -> bool:
        await connection.execute(_SET_LOCK_TIMEOUT, {"milliseconds": self._lock_timeout_milliseconds})
        return bool(await connection.scalar(_TRY_LOCK, {"lock": LOCK}))

    async def _make_tables(self, connection: AsyncConnection, today: date) -> list[str]:
        attached = set(await connection.scalars(_ATTACHED))
        days = [today + timedelta(days=ahead) for ahead in range(self._days_ahead + 1)]
        missing = [day for day in days if partition_name(day) not in attached]
        for day in missing:
            await _make_table(connection, day)
        return [partition_name(day) for day in missing]

    async def _jump(self, connection: AsyncConnection, today: date) -> None:
        if partition_name(today) not in set(await connection.scalars(_ATTACHED)):
            return
        target = first_position(today)
        if await connection.scalar(_JUMP, {"target": target, "near_end": _NEAR_END}) is not None:
            logger.info("sequence jumped position=%d", target)


async def _make_table(connection: AsyncConnection, day: date) -> None:
    """Make a plain table and attach it: `CREATE … PARTITION OF` would wait for every open reader of the outbox.

    The check constraint spares ATTACH its scan (PostgreSQL 5.12.2.2) and goes in the same transaction, before anyone
    else can see the table, so that dropping it waits for nobody.
    """
    name, low, high = partition_name(day), first_position(day), first_position(day + timedelta(days=1))
    for statement in (
        f"CREATE TABLE {name} (LIKE outbox INCLUDING ALL)",
        f"ALTER TABLE {name} ADD CONSTRAINT {name}_range CHECK (position >= {low} AND position < {high})",
        f"ALTER TABLE outbox ATTACH PARTITION {name} FOR VALUES FROM ({low}) TO ({high})",
        f"ALTER TABLE {name} DROP CONSTRAINT {name}_range",
    ):
        await connection.execute(text(statement))
