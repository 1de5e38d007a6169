"""The relay of a shard: publishes what was committed, in order for each key, at least once."""

import asyncio
import logging
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

from db.database import Database
from db.describing import describe
from db.telling import Spell
from db.waiting import done_before, jittered_seconds, leave_if_cancelled, wait_for
from outbox.errors import InRecoveryError, LeaseLostError, MissingCursorError, first_of
from outbox.lease import Lease
from outbox.pages import Pages
from outbox.settling import Publisher, RefusalPolicy
from outbox.tally import Tally
from outbox.troubles import Troubles
from outbox.wake import Wake

logger = logging.getLogger("squad.relay")


class Relay:
    """Publishes a shard of the outbox; any number of candidates may run, the one with the lease is active.

    Args:
        database: where the outbox is; best one of the relay's own, of whose pool it keeps one place.
        publisher: where the records go.
        lease: the right to be the active one; its name is one per shard, such as `relay-0`.
        wake: set by whoever commits; without it, polling finds the rows.
        troubles: what the publisher knows of topics and partitions that take nothing.
        refusals: what is done with rows that Kafka refuses for good.
        is_paused: asked before each page. While it is so, nothing is published, not even what is released, and the
            lease is kept: another relay would only wait in its place.
        shard: which row of `relay_cursors`.
        page_rows, page_bytes: how much is read and published before the cursor is stored; what a crash repeats.
        poll_least_seconds, poll_most_seconds: the wait after an idle pass doubles from one to the other.
        waiting_most_rows: so many rows at most wait for topics and partitions; past them the relay stands still.
        backoff_first_seconds, backoff_most_seconds: the waits after a database error, and before rows are tried again
            that wait, full jitter.
        tally: is told of pages and interruptions; kept as an attribute.
        stop_seconds: how long a page that is under way may take when the relay is to end; then it is left to whoever
            leads next, who may publish some of it once more.
        deploy_seconds: how long a half-done deploy is waited for.
    """

    def __init__(
        self,
        *,
        database: Database,
        publisher: Publisher,
        lease: Lease,
        wake: Wake | None = None,
        troubles: Troubles | None = None,
        refusals: RefusalPolicy | None = None,
        is_paused: Callable[[], bool] = lambda: False,
        shard: int = 0,
        page_rows: int = 2000,
        page_bytes: int = 16 * 1024 * 1024,
        poll_least_seconds: float = 0.01,
        poll_most_seconds: float = 0.5,
        waiting_most_rows: int = 100_000,
        backoff_first_seconds: float = 0.1,
        backoff_most_seconds: float = 30,
        tally: Tally | None = None,
        stop_seconds: float = 5,
        deploy_seconds: float = 60,
    ) -> None:
        self._publisher = publisher
        self._troubles = troubles
        self._lease = lease
        self._wake = wake or Wake()
        self._shard = shard
        self._poll_least_seconds = poll_least_seconds
        self._poll_most_seconds = poll_most_seconds
        self._backoff = {"first_seconds": backoff_first_seconds, "most_seconds": backoff_most_seconds}
        self._waits = jittered_seconds(**self._backoff)
        self._stop_seconds = stop_seconds
        self.tally = tally or Tally()
        self._pages = Pages(
            database=database,
            publisher=publisher,
            refusals=refusals or RefusalPolicy(),
            lease=lease,
            is_paused=is_paused,
            shard=shard,
            page_rows=page_rows,
            page_bytes=page_bytes,
            waiting_most_rows=waiting_most_rows,
            backoff=self._backoff,
            tally=self.tally,
        )
        self._spell = Spell(logger, f"relay interrupted shard={shard}", deploy_seconds=deploy_seconds)
        self._stopped = asyncio.Event()

    @property
    def epoch(self) -> int | None:
        """In which it leads; `None`: it does not."""
        try:
            return self._lease.epoch
        except LeaseLostError:
            return None

    async def run(self) -> None:
        """Relay until `stop`, whenever the lease is ours; what is transient is tried again for as long as it takes.

        Raises:
            WrongClusterError, MissingCursorError: nothing can be relayed here.
            HalfDeployedError: a table, column or right is missing, and did not come in time.
            DBAPIError: the database says something that waiting does not cure.
        """
        try:
            while not self._stopped.is_set():
                if not await self._run_once():
                    await wait_for(self._stopped, self._lease.renew_seconds)
        finally:
            await self._end()

    async def try_lead(self) -> bool:
        """Take the lease, if it is free, for `run_while_leading`; gives whether it is ours."""
        return await self._lease.acquire_once()

    async def run_while_leading(self) -> None:
        """Relay until `stop`, or until another has the lease or the shard is gone.

        Raises:
            As `run`, but for MissingCursorError.
        """
        try:
            while not self._stopped.is_set() and await self._run_once():
                pass
        except MissingCursorError:
            logger.info("shard gone shard=%d", self._shard)
        finally:
            await self._end()

    def stop(self) -> None:
        """Let `run` end after the page it is at; may be called again."""
        self._stopped.set()
        self._wake.set()

    def describe(self) -> dict[str, dict[str, object]]:
        """Give the trouble of each topic and partition that takes nothing, with how many rows wait for it."""
        found = {} if self._troubles is None else self._troubles.describe()
        for place, rows in self._pages.awaiting.items():
            found[place] = found.get(place, {}) | {"waiting_rows": rows}
        return found

    async def close(self) -> None:
        """Let the connection go, for whoever steps by hand; the next pass opens another, and reads the cursor again."""
        await self._pages.close()

    async def pass_once(self) -> int:
        """Publish everything of one window.

        Returns:
            How many rows were published or settled otherwise.

        Raises:
            LeaseLostError: the lease is not ours, or another's epoch is in the cursor.
        """
        settled = await self.relay_batch()
        while self._pages.has_more:
            settled += await self.relay_batch()
        return settled

    async def relay_batch(self) -> int:
        """Publish one page; `outbox.pages.Pages.relay_batch` says what it returns and raises."""
        return await self._pages.relay_batch()

    async def _run_once(self) -> bool:
        """Become the active one and be it for as long as it goes well; give whether the lease was free for that."""
        try:
            if not await self._lease.acquire_once():
                return False
            logger.info("relay leads lease=%s epoch=%d", self._lease.name, self._lease.epoch)
            await self._lead()
        except LeaseLostError as error:
            leave_if_cancelled()
            logger.warning("relay follows reason=%s", error)
        except (SQLAlchemyError, OSError, InRecoveryError) as error:
            leave_if_cancelled()
            is_news = self._spell.meet(error) if isinstance(error, InRecoveryError) else self._spell.bear(error)
            self.tally.note_interruption(describe(error), is_news=is_news)
            await wait_for(self._stopped, next(self._waits))
        return True

    async def _lead(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                holding = group.create_task(self._lease.hold())
                relaying = self._relay_until_stopped()
                if not await done_before(self._stopped, relaying, grace_seconds=self._stop_seconds):
                    logger.warning("relay leaves a page that took too long to whoever leads next")
                holding.cancel()
        except BaseExceptionGroup as error:
            raise first_of(error) from error
        finally:
            # Whoever led meanwhile moved the cursor, or other slots are ours now. In the middle of a page that would be
            # noticed at its end; between pages only here.
            await self.close()

    async def _relay_until_stopped(self) -> None:
        poll_seconds = self._poll_least_seconds
        while not self._stopped.is_set():
            leave_if_cancelled()
            published = await self.relay_batch()
            self._waits = jittered_seconds(**self._backoff)
            self._spell.end()
            if published or await self._wake.wait(poll_seconds):
                poll_seconds = self._poll_least_seconds
            else:
                poll_seconds = min(poll_seconds * 2, self._poll_most_seconds)

    async def _end(self) -> None:
        await self.close()
        await self._publisher.close()
        try:
            async with asyncio.timeout(self._stop_seconds):
                await self._lease.release()
        except (SQLAlchemyError, OSError) as error:
            logger.warning("lease kept until it expires lease=%s error=%r", self._lease.name, error)
