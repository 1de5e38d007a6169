"""The life of a long-lived process: check, run, describe itself, stop when told."""

import asyncio
import gc
import logging
import signal
from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app import broker, postgres, wiring
from app.settings import Settings
from app.wiring import Kind, Part
from db.database import Database
from db.errors import Failure, classify
from db.processes import ProcessRow, heartbeat_age_seconds
from db.waiting import wait_for

logger = logging.getLogger("squad.process")


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

    async def run(self) -> None:
        """Describe the process until stopped; while the database is away, its row grows old, which is the truth."""
        while not self._stopping.is_set():
            await self.beat_once()
            await wait_for(self._stopping, self._interval_seconds)
        await self._write(self._row.forget)

    async def beat_once(self) -> None:
        """Describe the process now."""
        await self._write(lambda session: self._row.describe(session, self._describe()))

    async def _write(self, work: Callable[[AsyncSession], Awaitable[None]]) -> None:
        try:
            async with self._database.transaction() as session:
                await work(session)
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


async def run(settings: Settings, kind: Kind) -> None:
    """Run a process until SIGTERM or SIGINT.

    Args:
        settings: of this process.
        kind: consumer, relay or all.

    Raises:
        app.postgres.RefusedError: PostgreSQL will not have us.
        app.broker.TopicError: the topics do not fit.
        aiokafka.errors.KafkaConnectionError: no broker can be reached.
    """
    await postgres.check_database(settings, kind)
    await broker.check_topics(settings)
    calm_collector()
    async with wiring.open_process(settings, kind) as process, wiring.open_database(settings, pool_size=1) as database:
        heartbeat = Heartbeat(
            database=database,
            kind=kind,
            interval_seconds=settings.heartbeat_interval_seconds,
            describe=lambda: {subject: show() for subject, show in process.describe.items()},
        )
        logger.info("%s started", kind)
        await _run_together(process.parts, heartbeat)
    logger.info("%s stopped", kind)


async def _run_together(parts: list[Part], heartbeat: Heartbeat) -> None:
    """Run the parts until told to stop; the heartbeat ends last. A part that fails takes the others with it."""

    def stop() -> None:
        for part in parts:
            part.stop()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(heartbeat.run())
            await asyncio.wait([tasks.create_task(part.run()) for part in parts])
            heartbeat.stop()
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


async def heartbeat_age(settings: Settings, kind: Kind) -> float | None:
    """Give the seconds since a process of this kind on this host last described itself; `None`: never."""
    async with wiring.open_database(settings) as database, database.sessions() as session:
        return await heartbeat_age_seconds(session, kind)
