"""One connection's way through the outbox: window after window, page after page, one page ahead of the cursor.

A reader is dropped whole after any error. After a crash of the server, transaction ids that were only seen in memory
are handed out again, and their rows would never enter a window: only what the table of cursors says counts then.
"""

from dataclasses import dataclass
from typing import Self

from sqlalchemy.ext.asyncio import AsyncConnection

from db.database import Database
from outbox import cursor as cursors
from outbox import window, wire
from outbox.connection import connect_alone, disconnect
from outbox.cursor import Cursor
from outbox.window import Window
from outbox.wire import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some records of a window, and the position that the cursor has once they are published."""

    records: list[Record]
    bound: int


@dataclass(slots=True, kw_only=True)
class _OpenWindow:
    """A window that is being read; `at` is how far, which is never behind the cursor."""

    window: Window
    at: int
    high: int
    is_small: bool


class Reader:
    """Reads what a shard has not published, and stores how far it came.

    Built by `open`.
    """

    def __init__(self, *, connection: AsyncConnection, cursor: Cursor, page_rows: int, page_bytes: int) -> None:
        self._connection = connection
        self._cursor = cursor
        self._page_rows = page_rows
        self._page_bytes = page_bytes
        self._open: _OpenWindow | None = None
        self._ahead: Page | None = None

    @classmethod
    async def open(cls, *, database: Database, shard: int, epoch: int, page_rows: int, page_bytes: int) -> Self:
        """Connect, and take the cursor over for a lease's epoch.

        Args:
            database: where the outbox is; no transaction-pooling proxy may be between, it hides a server's crash.
            shard: whose cursor.
            epoch: the lease's.
            page_rows, page_bytes: limits of a page, of its rows and of their bodies; a single row is always let through.

        Raises:
            LeaseLostError: a later epoch has the cursor.
            WrongClusterError, MissingCursorError: nothing can be relayed here.
        """
        connection = await connect_alone(database)
        try:
            for statement in window.SETTINGS:
                await connection.execute(statement)
            cursor = await cursors.load(connection, shard=shard, epoch=epoch)
        except BaseException:
            await disconnect(connection)
            raise
        return cls(connection=connection, cursor=cursor, page_rows=page_rows, page_bytes=page_bytes)

    async def close(self) -> None:
        """Disconnect."""
        await disconnect(self._connection)

    @property
    def has_more(self) -> bool:
        """Whether the open window has another page."""
        return self._ahead is not None or (self._open is not None and self._open.at < self._open.high)

    async def next_page(self) -> Page | None:
        """Give the next page of the open window, or the first of a new one; None when nothing is new.

        Raises:
            InRecoveryError: the server is a standby.
        """
        if self._ahead is not None:
            page, self._ahead = self._ahead, None
            return page
        if self._open is None and not await self._open_window():
            return None
        return await self._read_page()

    async def read_ahead(self) -> None:
        """Read the next page of the open window, if it has one, while the last is being published."""
        if self.has_more and self._ahead is None:
            self._ahead = await self._read_page()

    async def advance(self, page: Page) -> None:
        """Store that a page is published.

        Raises:
            LeaseLostError: a later epoch has the cursor; nothing was stored.
        """
        assert self._open is not None
        cursor = self._cursor.at(page.bound, current=self._open.window.current, high=self._open.high)
        await cursors.write(self._connection, cursor)
        self._cursor = cursor
        if cursor.current is None:
            self._open = None

    async def _open_window(self) -> bool:
        """Continue the stored window or take a new one; an empty one is closed at once, in memory only."""
        cursor = self._cursor
        if cursor.current is not None and cursor.high is not None:
            self._open = _OpenWindow(
                window=self._window(cursor.current), at=cursor.position, high=cursor.high, is_small=False
            )
            return True
        current = await window.take_snapshot(self._connection)
        taken = self._window(current)
        survey = await taken.survey(self._connection)
        if survey is None:
            self._cursor = cursor.closed_at(current)
            return False
        is_small = survey.rows <= self._page_rows and survey.bytes <= self._page_bytes
        self._open = _OpenWindow(window=taken, at=survey.low - 1, high=survey.high, is_small=is_small)
        return True

    def _window(self, current: str) -> Window:
        cursor = self._cursor
        return Window(previous=cursor.previous, current=current, slot_from=cursor.slot_from, slot_to=cursor.slot_to)

    async def _read_page(self) -> Page:
        """Read the window's next rows; pages without any, where all is published or still to come, are passed over."""
        assert self._open is not None
        place = self._open
        if place.is_small:
            rows = await place.window.fetch_all(self._connection)
            place.at = place.high
            return Page(records=wire.wrap(rows), bound=place.high)
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
                return Page(records=wire.wrap(rows), bound=bound)
