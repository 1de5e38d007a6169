"""What operators want of held rows, done by the relay that leads their shard, so that order with newer rows holds."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import text

from outbox import held
from outbox.held import GONE, SLOTS, Hold
from outbox.held_pages import HeldPages
from outbox.refused import Refused, shown_key
from outbox.wire import Record

logger = logging.getLogger("squad.relay")

REQUESTED: Final = text(
    """
    SELECT position, topic, key, reason, release_requested, skip_requested, divert_requested
    FROM held
    WHERE (release_requested OR skip_requested OR divert_requested) AND slot BETWEEN :slot_from AND :slot_to
    ORDER BY position
    LIMIT 1
    """
).bindparams(*SLOTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What an operator wants of a hold: that one line is dropped or diverted, or that all of it is released, or first
    this then that.
    """

    hold: Hold
    position: int
    is_release: bool
    is_skip: bool
    is_divert: bool
    reason: str
    """Why the line is held."""


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
        pages: the shard's held rows.
    """

    def __init__(self, *, pages: HeldPages) -> None:
        self._pages = pages
        self._connection = pages.connection
        self._holds = pages.holds

    async def find(self) -> Release | None:
        """Give what is to be done next; asks the database only while something is held."""
        if not self._holds.are_any:
            return None
        request = await self._find_request()
        if request is None or request.is_skip:
            return None if request is None else Release(request=request)
        if request.is_divert:
            records = await self._pages.fetch_records([request.position])
            return Release(request=request, records=records, missing=[] if records else [request.position])
        lines = await held.fetch_lines(self._connection, request.hold, page_rows=self._pages.page_rows)
        records, missing = await self._pages.fetch(lines)
        return Release(request=request, records=records, missing=missing)

    async def settle(self, release: Release, refused: Sequence[Refused]) -> None:
        """Store what became of a release.

        Args:
            release: from `find`; its records were given to the publisher.
            refused: what the publisher did not publish, or of what there can be no dead letter.

        Raises:
            LeaseLostError: a later epoch has the cursor; nothing was stored.
        """
        request = release.request
        async with self._pages.settling():
            if request.is_skip:
                await self._drop(request, "skipped")
            elif request.is_divert:
                await self._divert(release, refused)
            else:
                await self._release(release, refused)
        if not await self._holds.look_again(self._connection, request.hold):
            logger.info("hold over topic=%s key=%s", request.hold.topic, shown_key(request.hold.key))

    async def _find_request(self) -> Request | None:
        found = (await self._connection.execute(REQUESTED, self._holds.slots)).one_or_none()
        if found is None:
            return None
        position, topic, key, reason, is_release, is_skip, is_divert = found
        return Request(
            hold=Hold(topic=topic, key=key, position=position),
            position=position,
            is_release=is_release,
            is_skip=is_skip,
            is_divert=is_divert and not is_skip,
            reason=reason,
        )

    async def _divert(self, release: Release, refused: Sequence[Refused]) -> None:
        unsent = await self._explain(release, refused)
        if not unsent:
            await self._drop(release.request, "diverted")

    async def _drop(self, request: Request, what: str) -> None:
        """Remove a line whose row is done with; what an operator wants of the others of its hold is next."""
        if request.is_release:
            await held.mark(self._connection, request.hold, released=True)
        await held.remove(self._connection, [request.position])
        logger.warning("held row %s position=%d topic=%s", what, request.position, request.hold.topic)

    async def _release(self, release: Release, refused: Sequence[Refused]) -> None:
        unpublished = {each.position for each in refused}
        published = [record.position for record in release.records if record.position not in unpublished]
        await held.remove(self._connection, published)
        stuck = await self._explain(release, refused)
        await held.mark(self._connection, release.request.hold, released=not stuck)
        if refused:
            # The first says what all of them wait for now.
            await held.let_await(self._connection, release.request.hold, refused[0].awaits)
        for each in refused:
            if each.behind is None and each.awaits is None:
                logger.error("kafka refuses a held row again position=%d reason=%s", each.position, each.reason)

    async def _explain(self, release: Release, refused: Sequence[Refused]) -> bool:
        """Say of each line that stays why; give whether any does."""
        reasons = {each.position: each.reason for each in refused} | dict.fromkeys(release.missing, GONE)
        for position, reason in reasons.items():
            await held.explain(self._connection, position, reason)
        return bool(reasons)
