"""The life of a long-lived process: check, run, describe itself, stop when told."""

import asyncio
import gc
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from time import monotonic
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from app import broker, postgres, wiring
from app.ending import Ending
from app.settings import Settings
from app.wiring import Kind, Part
from db.database import Database
from db.errors import Failure, classify
from db.processes import ProcessRow, heartbeat_age_seconds
from db.waiting import done_before, wait_for

logger = logging.getLogger("squad.process")

_GOODBYE_SECONDS: Final = 2
"""How long a process that ends tries to take its row away; without that, it grows old."""


class Heartbeat:
    """Describes this process in the table `processes`.

    Args:
        database: where the table is.
        kind: consumer, relay or all.
        interval_seconds: between two descriptions.
        describe: gives the state to show.
    """

    def __init__(
        self, *, database: Database, kind: str, interval_seconds: float, describe: Callable[[], dict[str, Any]]
    ) -> None:
        self._database = database
        self._row = ProcessRow(kind=kind)
        self._interval_seconds = interval_seconds
        self._describe = describe
        self._stopping = asyncio.Event()
        self.answered_at: float | None = None
        """When the database took the last one, by `time.monotonic`."""

    async def run(self) -> None:
        """Describe the process until stopped; while the database is away, its row grows old, which is the truth."""
        while not self._stopping.is_set():
            await done_before(self._stopping, self.beat_once())
            await wait_for(self._stopping, self._interval_seconds)
        with suppress(TimeoutError):
            async with asyncio.timeout(_GOODBYE_SECONDS):
                await self._write(self._row.forget)

    async def beat_once(self) -> None:
        """Describe the process now."""
        await self._write(lambda session: self._row.describe(session, self._describe()))

    async def _write(self, work: Callable[[AsyncSession], Awaitable[None]]) -> None:
        try:
            async with self._database.transaction() as session:
                await work(session)
            self.answered_at = monotonic()
        except Exception as error:
            if classify(error) is Failure.UNEXPECTED:
                raise
            logger.debug("heartbeat not written: %s", error)

    def stop(self) -> None:
        """End with the next breath."""
        self._stopping.set()


def calm_collector() -> None:
    """Let Python look for cycles seldom: a batch makes tens of thousands of objects, hardly one of them in a cycle.

    Looking as often as by default cost a consumer a tenth of its processor time. The objects of two full batches,
    all of which are needed, stay below the threshold.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(300_000, 10, 10)


async def run(settings: Settings, kind: Kind, ending: Ending) -> None:
    """Run a process until it is told to end.

    Args:
        settings: of this process.
        kind: consumer, relay or all.
        ending: says when, and has the last word.

    Raises:
        app.ending.CutShortError: not everything was finished by the deadline.
        app.postgres.RefusedError: PostgreSQL will not have us.
        app.broker.TopicError: the topics do not fit.
        aiokafka.errors.KafkaConnectionError: no broker can be reached.
    """
    await ending.bound(_live(settings, kind, ending.asked))


async def _live(settings: Settings, kind: Kind, asked: asyncio.Event) -> None:
    if not await done_before(asked, _check(settings, kind)):
        logger.info("%s stopped before it had started", kind)
        return
    calm_collector()
    async with (
        wiring.open_process(settings, kind, prepared=False) as process,
        wiring.open_database(settings, pool_size=1) as database,
    ):
        heartbeat = Heartbeat(
            database=database,
            kind=kind,
            interval_seconds=settings.heartbeat_interval_seconds,
            describe=lambda: {subject: show() for subject, show in process.describe.items()},
        )
        process.ready["process"] = lambda: "it is to end" if asked.is_set() else None
        wiring.show_answers(process, settings, database, lambda: heartbeat.answered_at)
        async with wiring.monitored(settings, kind, process):
            if await done_before(asked, process.prepare()):
                logger.info("%s started", kind)
                await _run_together(process.parts, heartbeat, asked)
    logger.info("%s stopped", kind)


async def _check(settings: Settings, kind: Kind) -> None:
    await postgres.check_database(settings, kind)
    await broker.check_topics(settings)


async def _run_together(parts: list[Part], heartbeat: Heartbeat, asked: asyncio.Event) -> None:
    """Run the parts until told to stop; the heartbeat ends last. A part that fails takes the others with it."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(heartbeat.run())
        running = [tasks.create_task(part.run()) for part in parts]
        asking = tasks.create_task(_stop_when(asked, parts))
        await asyncio.wait(running)
        asking.cancel()
        heartbeat.stop()


async def _stop_when(asked: asyncio.Event, parts: list[Part]) -> None:
    await asked.wait()
    for part in parts:
        part.stop()


async def heartbeat_age(settings: Settings, kind: Kind) -> float | None:
    """Give the seconds since a process of this kind on this host last described itself; `None`: never."""
    async with wiring.open_database(settings) as database, database.sessions() as session:
        return await heartbeat_age_seconds(session, kind)
