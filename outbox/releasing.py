"""What operators want of held rows, done by the relay that leads their shard, so that order with newer rows holds."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncConnection

from outbox import cursor as cursors
from outbox import holds as held
from outbox import window, wire
from outbox.connection import transaction_on
from outbox.cursor import Cursor
from outbox.holds import Holds, Request
from outbox.refused import Refused, shown_key
from outbox.wire import Record

logger = logging.getLogger("squad.relay")


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Some rows that are to wait no longer.

    Attributes:
        request: what the operator wanted.
        records: to be published, in order.
        missing: positions of which the outbox has no row any more.
    """

    request: Request
    records: list[Record] = field(default_factory=list)
    missing: list[int] = field(default_factory=list)


class Releases:
    """Finds what operators want of a shard's holds, and stores what became of it.

    Args:
        connection: of the relay's reader.
        cursor: with the epoch that fences.
        holds: of the shard.
        page_rows, page_bytes: how much is published at once.
    """

    def __init__(
        self, *, connection: AsyncConnection, cursor: Cursor, holds: Holds, page_rows: int, page_bytes: int
    ) -> None:
        self._connection = connection
        self._cursor = cursor
        self._holds = holds
        self._page_rows = page_rows
        self._page_bytes = page_bytes

    async def find(self) -> Release | None:
        """Give what is to be done next; asks the database only while something is held."""
        if not self._holds.are_any:
            return None
        request = await self._holds.find_request(self._connection)
        if request is None or request.is_skip:
            return None if request is None else Release(request=request)
        if request.is_divert:
            rows = await window.fetch_positions(self._connection, [request.position])
            missing = [] if rows else [request.position]
            return Release(request=request, records=wire.wrap(rows), missing=missing)
        found = await held.fetch_lines(self._connection, request.hold, page_rows=self._page_rows)
        lines = held.cut(found, page_bytes=self._page_bytes)
        rows = await window.fetch_positions(self._connection, [line.position for line in lines if line.is_there])
        missing = [line.position for line in lines if not line.is_there]
        return Release(request=request, records=wire.wrap(rows), missing=missing)

    async def settle(self, release: Release, refused: Sequence[Refused]) -> None:
        """Store what became of a release.

        Args:
            release: from `find`; its records were given to the publisher.
            refused: what the publisher did not publish, or of what there can be no dead letter.

        Raises:
            LeaseLostError: a later epoch has the cursor; nothing was stored.
        """
        request = release.request
        async with transaction_on(self._connection):
            await cursors.fence(self._connection, self._cursor)
            if request.is_skip:
                await self._skip(request)
            elif request.is_divert:
                await self._divert(release, refused)
            else:
                await self._release(release, refused)
        if not await self._holds.look_again(self._connection, request.hold):
            logger.info("hold over topic=%s key=%s", request.hold.topic, shown_key(request.hold.key))

    async def _skip(self, request: Request) -> None:
        if request.is_release:
            await held.mark(self._connection, request.hold, released=True)
        await held.remove(self._connection, [request.position])
        logger.warning("held row skipped position=%d topic=%s", request.position, request.hold.topic)

    async def _divert(self, release: Release, refused: Sequence[Refused]) -> None:
        request = release.request
        reasons = {each.position: each.reason for each in refused}
        reasons |= dict.fromkeys(release.missing, "the outbox has no such row any more")
        for position, reason in reasons.items():
            await held.explain(self._connection, position, reason)
        if reasons:
            return
        if request.is_release:
            await held.mark(self._connection, request.hold, released=True)
        await held.remove(self._connection, [request.position])
        logger.warning("held row diverted position=%d topic=%s", request.position, request.hold.topic)

    async def _release(self, release: Release, refused: Sequence[Refused]) -> None:
        reasons = {each.position: each.reason for each in refused}
        gone = dict.fromkeys(release.missing, "the outbox has no such row any more")
        published = [record.position for record in release.records if record.position not in reasons]
        await held.remove(self._connection, published)
        for position, reason in (reasons | gone).items():
            await held.explain(self._connection, position, reason)
        await held.mark(self._connection, release.request.hold, released=not (reasons or gone))
        if refused:
            # The first says what all of them wait for now.
            await held.let_await(self._connection, release.request.hold, refused[0].awaits)
        for each in refused:
            if each.behind is None and each.awaits is None:
                logger.error("kafka refuses a held row again position=%d reason=%s", each.position, each.reason)
