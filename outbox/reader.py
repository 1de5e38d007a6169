"""One connection's way through the outbox: window after window, page after page, one page ahead of the cursor.

A reader is dropped whole after any error. After a crash of the server, transaction ids that were only seen in memory
are handed out again, and their rows would never enter a window: only what the table of cursors says counts then.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from db import deadlines
from db.database import Database
from db.errors import QUERY_CANCELED, sqlstate
from outbox import cursor as cursors
from outbox import held, window, wire
from outbox.auditing import record_settled
from outbox.connection import connect_alone, disconnect, transaction_on
from outbox.cursor import Cursor
from outbox.held_pages import HeldPages
from outbox.holds import Holds
from outbox.releasing import Releases
from outbox.retrying import Retries
from outbox.settling import NOTHING, Settled
from outbox.window import Window
from outbox.wire import Record

logger = logging.getLogger("squad.relay")

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some records of a window.

    Attributes:
        records: in the order to publish them.
        bound: the cursor's position once they are.
        current, high: of the window.
    """

    records: list[Record]
    bound: int
    current: str
    high: int


@dataclass(slots=True, kw_only=True)
class _OpenWindow:
    """A window that is being read; `at` is how far, which is never behind the cursor."""

    window: Window
    at: int
    high: int
    is_small: bool

    @property
    def has_more(self) -> bool:
        return self.at < self.high

    def page(self, rows: Sequence[Sequence[Any]]) -> Page:
        return Page(records=wire.wrap(rows), bound=self.at, current=self.window.current, high=self.high)


class Reader:
    """Reads what a shard has not published, and stores how far it came.

    Built by `open`.
    """

    def __init__(
        self,
        *,
        connection: AsyncConnection,
        cursor: Cursor,
        holds: Holds,
        page_rows: int,
        page_bytes: int,
        answer_spare_seconds: float,
        backoff: Mapping[str, float],
    ) -> None:
        self.holds = holds
        """Of the shard; its rows are to be left out of pages."""
        pages = HeldPages(connection=connection, cursor=cursor, holds=holds, page_rows=page_rows, page_bytes=page_bytes)
        self.releases = Releases(pages=pages)
        """What operators want of them."""
        self.retries = Retries(pages=pages, **backoff)
        """Those that wait for a topic or partition."""
        self._connection = connection
        self._cursor = cursor
        self._page_rows = page_rows
        self._page_bytes = page_bytes
        self._answer_spare_seconds = answer_spare_seconds
        self._open: _OpenWindow | None = None
        self._ahead: Page | None = None

    @classmethod
    async def open(
        cls,
        *,
        database: Database,
        shard: int,
        epoch: int,
        page_rows: int,
        page_bytes: int,
        backoff: Mapping[str, float],
    ) -> Self:
        """Connect, and take the cursor over for a lease's epoch.

        Args:
            database: where the outbox is; no transaction-pooling proxy may be between, it hides a server's crash.
            shard: whose cursor.
            epoch: the lease's.
            page_rows, page_bytes: limits of a page, of its rows and of their bodies; one row is always let through.
            backoff: `first_seconds` and `most_seconds` of the waits before rows are tried again that wait for a place.

        Raises:
            LeaseLostError: a later epoch has the cursor.
            WrongClusterError, MissingCursorError: nothing can be relayed here.
        """
        connection = await connect_alone(database)
        try:
            for statement in window.SETTINGS:
                await connection.execute(statement)
            cursor = await cursors.load(connection, shard=shard, epoch=epoch)
            holds = await Holds.load(connection, slot_from=cursor.slot_from, slot_to=cursor.slot_to)
        except BaseException:
            await disconnect(connection)
            raise
        return cls(
            connection=connection,
            cursor=cursor,
            holds=holds,
            page_rows=page_rows,
            page_bytes=page_bytes,
            answer_spare_seconds=database.answer_spare_seconds,
            backoff=backoff,
        )

    async def close(self) -> None:
        """Disconnect."""
        await disconnect(self._connection)

    @property
    def has_more(self) -> bool:
        """Whether the open window has another page."""
        return self._ahead is not None or (self._open is not None and self._open.has_more)

    async def next_page(self) -> Page | None:
        """Give the next page of the open window, or the first of a new one; None when nothing is new.

        Raises:
            InRecoveryError: the server is a standby.
        """
        if self._ahead is not None:
            page, self._ahead = self._ahead, None
            return page
        self._open = self._open or await self._open_window()
        return None if self._open is None else await self._read_page(self._open)

    async def read_ahead(self) -> None:
        """Read the next page of the open window, if it has one, while the last is being published."""
        if self._ahead is None and self._open is not None and self._open.has_more:
            self._ahead = await self._read_page(self._open)

    async def advance(self, page: Page, settled: Settled = NOTHING) -> None:
        """Store that a page is published, but for what is settled otherwise.

        Args:
            page: from `next_page`.
            settled: its rows that wait, and those that nobody publishes any more.

        Raises:
            LeaseLostError: a later epoch has the cursor; nothing was stored.
        """
        cursor = self._cursor.at(page.bound, current=page.current, high=page.high)
        if settled:
            async with transaction_on(self._connection):
                await cursors.write(self._connection, cursor)
                if settled.held:
                    await held.add(self._connection, settled.held)
                await record_settled(self._connection, settled)
            self.holds.note(settled.held)
        else:
            await cursors.write(self._connection, cursor)
        self._cursor = cursor
        if cursor.current is None:
            self._open = None

    async def _open_window(self) -> _OpenWindow | None:
        """Continue the stored window or take a new one; an empty one is closed at once, in memory only."""
        cursor = self._cursor
        if cursor.current is not None and cursor.high is not None:
            stored = self._window(cursor.current)
            return _OpenWindow(window=stored, at=cursor.position, high=cursor.high, is_small=False)
        current = await window.take_snapshot(self._connection)
        taken = self._window(current)
        survey = await self._ask_patiently(lambda: taken.survey(self._connection))
        if survey is None:
            self._cursor = cursor.closed_at(current)
            return None
        is_small = survey.rows <= self._page_rows and survey.bytes <= self._page_bytes
        return _OpenWindow(window=taken, at=survey.low - 1, high=survey.high, is_small=is_small)

    async def _ask_patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask what takes the longer the more is new; where the usual time is not enough, again and with more.

        Not with more at once: then an answer that never comes would be waited for as long.
        """
        try:
            return await ask()
        except DBAPIError as error:
            if sqlstate(error) != QUERY_CANCELED:
                raise
        logger.info("much is new: it is looked at for up to %d s", window.PATIENCE_SECONDS)
        more = {"statement_seconds": window.PATIENCE_SECONDS, "spare_seconds": self._answer_spare_seconds}
        async with deadlines.more_time(self._connection, **more):
            return await ask()

    def _window(self, current: str) -> Window:
        cursor = self._cursor
        return Window(previous=cursor.previous, current=current, slot_from=cursor.slot_from, slot_to=cursor.slot_to)

    async def _read_page(self, place: _OpenWindow) -> Page:
        """Read the window's next rows; stretches without any, published already or still to come, are passed over."""
        if place.is_small:
            place.at = place.high
            return place.page(await self._ask_patiently(lambda: place.window.fetch_all(self._connection)))
        while True:
            bound = await place.window.find_bound(
                self._connection,
                at=place.at,
                high=place.high,
                page_rows=self._page_rows,
                page_bytes=self._page_bytes,
            )
            rows = await place.window.fetch(self._connection, at=place.at, bound=bound)
            place.at = bound
            if rows or bound >= place.high:
                return place.page(rows)
