"""Bugs that only a crash of PostgreSQL meets, which must be the trial's own."""

from contextlib import suppress
from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from db.database import Database
from outbox.cursor import Cursor
from outbox.pages import Pages
from outbox.reader import Reader
from stack.local_stack import LocalStack
from tests.planted.planting import PlantedBug
from tests.planted.relaying import ROWS_LOST
from tests.planted.trial import Trial

# A crash then forgets what no commit flushed: the writer of the log, which does so by itself, comes too late.
SERVER_SETTINGS = {"fsync": "off", "autovacuum": "off", "wal_writer_delay": "10s"}


class CrashingTrial(Trial):
    """A run on a server that may be crashed.

    Args:
        database, patch, seed: as a trial's.
        servers: of which one is PostgreSQL.
    """

    def __init__(self, database: Database, patch: pytest.MonkeyPatch, *, seed: int, servers: LocalStack) -> None:
        super().__init__(database, patch, seed=seed)
        self._servers = servers

    async def crash(self) -> None:
        """End the server at once, and start it again."""
        self._servers.postgres.stop("immediate")
        self._servers.postgres.start()
        await self.database.close()


# In-memory cursor kept over a reconnect

_open_reader, _close = Pages._open_reader, Pages.close


async def _keep_the_cursor(trial: Trial) -> None:
    kept: list[Cursor] = []

    async def open_where_it_was(pages: Pages) -> Reader:
        is_open = pages._reader is not None
        reader = await _open_reader(pages)
        if not is_open and kept:
            reader._cursor = replace(kept[-1], epoch=reader._cursor.epoch)
        return reader

    async def close_and_remember(pages: Pages) -> None:
        if pages._reader is not None:
            kept.append(pages._reader._cursor)
        await _close(pages)

    trial.patch.setattr(Pages, "_open_reader", open_where_it_was)
    trial.patch.setattr(Pages, "close", close_and_remember)


async def _crash_after_ids_that_were_never_stored(trial: Trial) -> None:
    assert isinstance(trial, CrashingTrial)
    trial.register()
    await trial.drain()
    async with trial.relay() as relay:
        await relay.pass_once()
        for _ in range(10):
            async with trial.database.sessions() as session:
                await session.execute(text("SELECT pg_current_xact_id()"))
        assert await relay.pass_once() == 0
        await trial.crash()
        trial.register()
        await trial.drain()
        for _ in range(2):
            with suppress(SQLAlchemyError):
                await relay.pass_once()
        trial.register()
        await trial.drain()
        await relay.pass_once()


CURSOR_KEPT = PlantedBug(
    name="in-memory cursor kept over a reconnect",
    plant=_keep_the_cursor,
    meets="PostgreSQL crashes when the relay has seen transaction ids that were never stored; they are given out again",
    scenario=_crash_after_ids_that_were_never_stored,
    caught_by=ROWS_LOST,
    seed=51,
    needs="a PostgreSQL of its own",
)
