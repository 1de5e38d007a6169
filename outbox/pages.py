"""The pages of a shard, one after the other: read, published, settled, and only then the cursor stored.

After any error nothing is remembered: the next page is read by a new connection, from where the table of cursors says.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from time import perf_counter

from db.database import Database
from outbox.errors import first_of
from outbox.lease import Lease
from outbox.reader import Page, Reader
from outbox.refused import Refused
from outbox.settling import Publisher, RefusalPolicy, Settled, Settler
from outbox.tally import Tally

logger = logging.getLogger("squad.relay")


class Pages:
    """Relays a page at a time, as long as the lease is held.

    Args:
        database, publisher, refusals, lease, is_paused, shard, page_rows, page_bytes, waiting_most_rows, tally: as
            `outbox.relay.Relay` has them.
        backoff: its waits, as `jittered_seconds` takes them.
    """

    def __init__(
        self,
        *,
        database: Database,
        publisher: Publisher,
        refusals: RefusalPolicy,
        lease: Lease,
        is_paused: Callable[[], bool],
        shard: int,
        page_rows: int,
        page_bytes: int,
        waiting_most_rows: int,
        backoff: Mapping[str, float],
        tally: Tally,
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._settler = Settler(publisher=publisher, policy=refusals)
        self._lease = lease
        self._is_paused = is_paused
        self._shard = shard
        self._page_rows = page_rows
        self._page_bytes = page_bytes
        self._waiting_most_rows = waiting_most_rows
        self._backoff = backoff
        self._tally = tally
        self._reader: Reader | None = None
        self._stands_still = False

    @property
    def has_more(self) -> bool:
        """Whether the window that is open has another page."""
        return self._reader is not None and self._reader.has_more

    @property
    def awaiting(self) -> Mapping[str, int]:
        """How many rows wait for each topic or partition, as far as a reader knows."""
        return {} if self._reader is None else self._reader.holds.awaiting

    async def close(self) -> None:
        """Let the connection go, and forget what was read; the next page opens another, and reads the cursor again."""
        reader, self._reader = self._reader, None
        if reader is not None:
            await reader.close()

    async def relay_batch(self) -> int:
        """Publish one page, await every acknowledgement, then store the cursor. After any error nothing is remembered.

        Before it, one thing is done that an operator wants of a held row, and rows are tried again that wait for a
        topic or partition; as long as that goes well, nothing else is done.

        Returns:
            How many rows were published or settled otherwise; 0 when nothing is new or the relay is paused, and then
            nothing was written.

        Raises:
            LeaseLostError: the lease is not ours, or another's epoch is in the cursor.
        """
        if self._is_paused():
            # A page that was read ahead needs memory, and the connection is wanted by nobody.
            await self.close()
            return 0
        try:
            reader = await self._open_reader()
            released = await self._serve_request(reader)
            tried = await self._try_again(reader)
            if tried or self._is_full(reader):
                return released + tried
            page = await reader.next_page()
            if page is None:
                return released
            began = perf_counter()
            settled = await self._publish(reader, page)
            await reader.advance(page, settled)
            self._tally.note_page(len(page.records), perf_counter() - began, settled)
        except BaseException as error:
            await self.close()
            if isinstance(error, BaseExceptionGroup):
                raise first_of(error) from error
            raise
        return released + len(page.records)

    async def _serve_request(self, reader: Reader) -> int:
        release = await reader.releases.find()
        if release is None:
            return 0
        self._check_lease()
        refused: Sequence[Refused] = ()
        if release.records and release.request.is_divert:
            refused = await self._settler.divert(release.records, reason=release.request.reason)
        elif release.records:
            refused = await self._publisher.publish(release.records)
        await reader.releases.settle(release, refused)
        return max(1, len(release.records))

    async def _try_again(self, reader: Reader) -> int:
        retry = await reader.retries.find()
        if retry is None:
            return 0
        self._check_lease()
        settled = await self._settler.publish(retry.records, once=True)
        done = await reader.retries.settle(retry, settled)
        self._tally.tried_again += done
        return done

    def _is_full(self, reader: Reader) -> bool:
        """Whether so many rows wait for their topics and partitions that no more may."""
        awaiting = reader.holds.awaiting
        is_full = bool(awaiting) and awaiting.total() >= self._waiting_most_rows
        if is_full and not self._stands_still:
            logger.error("relay stands still shard=%d: %d rows wait for %s", self._shard, awaiting.total(), [*awaiting])
        self._stands_still = is_full
        return is_full

    async def _publish(self, reader: Reader, page: Page) -> Settled:
        self._check_lease()
        free, waiting = reader.holds.split(page.records)
        async with asyncio.TaskGroup() as group:
            group.create_task(reader.read_ahead())
            settled = await self._settler.publish(free)
        return replace(settled, held=[*waiting, *settled.held]) if waiting else settled

    def _check_lease(self) -> None:
        """See to the lease as late as possible: whoever was paused must not publish."""
        _ = self._lease.epoch

    async def _open_reader(self) -> Reader:
        if self._reader is None:
            self._reader = await Reader.open(
                database=self._database,
                shard=self._shard,
                epoch=self._lease.epoch,
                page_rows=self._page_rows,
                page_bytes=self._page_bytes,
                backoff=self._backoff,
            )
        return self._reader
