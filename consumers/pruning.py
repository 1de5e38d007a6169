"""The long-lived part that prunes the inbox: in small steps, one process at a time."""

import asyncio
import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import BigInteger, bindparam, text

from consumers import inbox_floor
from consumers.inbox_floor import NO_FLOOR, Rule, Standing
from db.database import Database
from db.errors import Failure, classify
from db.telling import Spell
from db.waiting import wait_for

logger = logging.getLogger("squad.pruning")

LOCK: Final = 0x696E626F780001
"""The number of pruning's advisory lock: "inbox" in ASCII, then 1."""

_TRY_LOCK: Final = text("SELECT pg_try_advisory_xact_lock(:lock)").bindparams(bindparam("lock", type_=BigInteger))


class Pruner:
    """Prunes the inbox; any number of processes may run it, one at a time does the work.

    Args:
        database: best one whose connections the lanes cannot take.
        rule: when a command may be forgotten.
        max_rows: of one transaction.
        pause_seconds: between two transactions.
        interval_seconds: between two passes.
    """

    def __init__(
        self,
        *,
        database: Database,
        rule: Rule,
        max_rows: int = 1000,
        pause_seconds: float = 0.05,
        interval_seconds: float = 60,
    ) -> None:
        self._database = database
        self._rule = rule
        self._max_rows = max_rows
        self._pause_seconds = pause_seconds
        self._interval_seconds = interval_seconds
        self._stopped = asyncio.Event()
        self._pruned = 0
        self._standing: Standing | None = None

    async def run(self) -> None:
        """Prune until `stop`; during an outage, and while the schema or a right is missing, it waits.

        Raises:
            NoFloorError: the floor's row is gone.
            SQLAlchemyError: the database says something that waiting does not cure.
        """
        spell = Spell(logger, "pruning postponed")
        while not self._stopped.is_set():
            try:
                await self.prune_once()
                spell.end()
            except Exception as error:
                if classify(error) is Failure.UNEXPECTED:
                    raise
                spell.meet(error)
            await wait_for(self._stopped, self._interval_seconds)

    def stop(self) -> None:
        """Let `run` end after the step it is in; may be called again."""
        self._stopped.set()

    @property
    def pruned(self) -> int:
        """How many rows this process deleted."""
        return self._pruned

    @property
    def standing(self) -> Standing | None:
        """Where pruning stood at the last look; `None`: nobody looked yet."""
        return self._standing

    def describe(self) -> Mapping[str, Any]:
        """Give what status shows: the floor, what holds it back, and how many rows this process deleted."""
        standing = self._standing
        return {
            "floor": standing and standing.floor and standing.floor.isoformat(),
            "held_back": standing and standing.held_back,
            "pruned": self._pruned,
        }

    async def prune_once(self) -> int:
        """Raise the floor as far as it may be, and delete below it, step by step.

        Returns:
            How many rows were deleted; 0 as well when another process was at it.
        """
        begin, pruned = NO_FLOOR, 0
        while True:
            deleted, last = await self._step(begin)
            pruned += deleted
            self._pruned += deleted
            if deleted < self._max_rows or last is None or self._stopped.is_set():
                break
            begin = last
            await wait_for(self._stopped, self._pause_seconds)
        if pruned:
            logger.info("inbox pruned rows=%d floor=%s", pruned, self._standing and self._standing.floor)
        return pruned

    async def _step(self, begin: datetime) -> tuple[int, datetime | None]:
        """Delete some rows sent at or after a time, and give their number and the last one's time."""
        async with self._database.transaction() as session:
            standing = self._standing = await inbox_floor.fetch_standing(session, self._rule)
            floor = standing.next_floor
            if floor is None or not await session.scalar(_TRY_LOCK, {"lock": LOCK}):
                return 0, None
            await inbox_floor.raise_to(session, floor)
            return await inbox_floor.delete_forgotten(
                session,
                begin=begin,
                end=floor,
                recorded_before=standing.now - timedelta(seconds=self._rule.keep_seconds),
                max_rows=self._max_rows,
            )
