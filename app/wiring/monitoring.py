"""Building what a process tells of itself."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from app.monitoring.looking import Looking
from app.monitoring.loop_watch import LoopWatch
from app.monitoring.pools import read_pools
from app.monitoring.processes import read_answer, read_process
from app.monitoring.readiness import read_readiness, silent
from app.monitoring.server import ListenError, Monitoring, serving
from app.settings import Settings, SettingsError, variable
from app.wiring.databases import open_database
from app.wiring.parts import Part, Process, Shown
from db.database import Database

logger = logging.getLogger("squad.process")


@asynccontextmanager
async def monitored(settings: Settings, kind: Shown, process: Process) -> AsyncIterator[None]:
    """Watch the event loop in the block and, where settings want it, tell by HTTP how the process is.

    Args:
        settings: of the process.
        kind: what it is.
        process: whose parts, pools and looks are shown.

    Raises:
        SettingsError: the port is taken.
    """
    watch = LoopWatch(limit_seconds=settings.loop_lag_limit_seconds)
    async with AsyncExitStack() as resources:
        parts: list[Part] = [watch]
        if settings.monitoring_port is not None:
            parts += await _open(resources, settings, kind, process, watch)
        async with asyncio.TaskGroup() as tasks:
            for part in parts:
                tasks.create_task(part.run())
            try:
                yield
            finally:
                for part in parts:
                    part.stop()


def show_answers(
    process: Process, settings: Settings, database: Database, answered_at: Callable[[], float | None]
) -> None:
    """Let metrics and readiness show when the database answered last: what it is asked for anyway.

    Args:
        process: gets what shows it.
        settings: of the process.
        database: which is asked, every `heartbeat_interval_seconds`.
        answered_at: by `time.monotonic`; `None`: never.
    """
    patience_seconds = settings.monitoring_ready_seconds + settings.heartbeat_interval_seconds
    process.pools["heartbeat"] = database
    process.readers.append(lambda: read_answer(answered_at()))
    process.ready["database"] = lambda: silent("last answer", answered_at(), patience_seconds)


async def _open(
    resources: AsyncExitStack, settings: Settings, kind: Shown, process: Process, watch: LoopWatch
) -> list[Part]:
    """Begin to serve; give the part that looks at the database, where there is anything to be looked at."""
    parts: list[Part] = []
    pools, readers, started_at = {**process.pools}, [*process.readers], time.time()
    if process.looks:
        direct = kind in ("relay", "all")
        database = await resources.enter_async_context(open_database(settings, pool_size=1, direct=direct))
        looking = Looking(database=database, looks=process.looks, interval_seconds=settings.monitoring_look_seconds)
        pools["monitoring"] = database
        readers.append(looking.read)
        parts.append(looking)
    ready = {"event loop": lambda: None, **process.ready}
    monitoring = Monitoring(
        loop=asyncio.get_running_loop(),
        watch=watch,
        readers=[
            *readers,
            lambda: read_process(kind, started_at),
            lambda: read_pools(pools),
            lambda: read_readiness(ready),
        ],
        ready=ready,
        alive_seconds=settings.monitoring_alive_seconds,
    )
    address = settings.monitoring_address
    try:
        port = resources.enter_context(serving(monitoring, address=address, port=settings.monitoring_port or 0))
    except ListenError as error:
        raise SettingsError(f"{variable('monitoring_port')}: {error}") from None
    logger.info("metrics and health at %s port %d", address, port)
    return parts
