"""What stands in the database, looked at every so often, so that no scrape ever waits for it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from time import monotonic

from sqlalchemy.ext.asyncio import AsyncConnection

from app.monitoring.readings import Reading
from consumers.unsettled import fetch_unsettled
from db.database import Database
from db.describing import describe
from db.waiting import wait_for
from messages.refusals import Reason
from outbox import status

logger = logging.getLogger("squad.process")

Look = Callable[[AsyncConnection], Awaitable[Sequence[Reading]]]
"""Asks the database for some readings; the connection is in autocommit."""


async def look_at_letters(connection: AsyncConnection) -> list[Reading]:
    """See how many dead letters nobody has settled, since when, and what is parked behind them."""
    found = await fetch_unsettled(connection)
    age_seconds = 0.0 if found.oldest_at is None else (datetime.now(UTC) - found.oldest_at).total_seconds()
    return [
        *(Reading("squad_dead_letters_open", found.letters.get(reason, 0), (reason,)) for reason in Reason),
        Reading("squad_dead_letters_oldest_age_seconds", max(0.0, age_seconds)),
        Reading("squad_parked_streams", found.parked_streams),
        Reading("squad_parked_records", found.parked_records),
    ]


async def look_at_outbox(connection: AsyncConnection) -> list[Reading]:
    """See what waits in the outbox, by shard."""
    found = []
    for each in await status.fetch_waiting(connection):
        shard = (str(each.shard),)
        found += [
            Reading("squad_outbox_oldest_age_seconds", each.age_seconds, shard),
            Reading("squad_outbox_held_rows", each.held_rows, shard),
            Reading("squad_outbox_holds", each.holds, shard),
            Reading("squad_outbox_waiting_rows", each.waiting_rows, shard),
        ]
    return found


class Looking:
    """Looks at the database every so often; what was seen is kept for whoever reads it.

    Args:
        database: best one of its own: what it asks may take a while.
        looks: what is looked at, one after the other.
        interval_seconds: between two passes.
    """

    def __init__(self, *, database: Database, looks: Iterable[Look], interval_seconds: float = 15) -> None:
        self._database = database
        self._looks = list(looks)
        self._interval_seconds = interval_seconds
        self._stopped = asyncio.Event()
        self._seen: list[Reading] = []
        self._looked_at: float | None = None
        self._is_failing = False

    async def run(self) -> None:
        """Look until `stop`; what cannot be seen now is not shown until it can."""
        while not self._stopped.is_set():
            await self.look_once()
            await wait_for(self._stopped, self._interval_seconds)

    def stop(self) -> None:
        """Let `run` end; may be called again."""
        self._stopped.set()

    async def look_once(self) -> None:
        """Look at everything now; what cannot be seen leaves the rest alone, and is told once until it can.

        What was seen before is not shown then: it may not be so any more.
        """
        seen: list[Reading] = []
        failed = False
        for look in self._looks:
            try:
                seen += await self._look(look)
            except Exception as error:  # noqa: BLE001 - whatever it is, nobody is to end because of what is only shown
                if not (failed or self._is_failing):
                    logger.warning("database not looked at for metrics: %s", describe(error))
                failed = True
        self._seen, self._is_failing = seen, failed
        if not failed:
            self._looked_at = monotonic()

    async def _look(self, look: Look) -> Sequence[Reading]:
        async with self._database.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            return await look(connection)

    def read(self) -> Iterator[Reading]:
        """Give what was seen last."""
        yield from self._seen
        if self._looked_at is not None:
            yield Reading("squad_database_look_age_seconds", monotonic() - self._looked_at)
