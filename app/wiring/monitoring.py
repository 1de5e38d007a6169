"""Building what a process tells of itself."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from app.monitoring.looking import Looking
from app.monitoring.loop_watch import LoopWatch
from app.monitoring.pools import read_pools
from app.monitoring.processes import read_process
from app.monitoring.readiness import read_readiness
from app.monitoring.server import ListenError, Monitoring, serving
from app.settings import Settings, SettingsError, variable
from app.wiring.databases import open_database
from app.wiring.parts import Kind, Part, Process

logger = logging.getLogger("squad.process")


@asynccontextmanager
async def monitored(settings: Settings, kind: Kind, process: Process) -> AsyncIterator[None]:
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
            parts.append(await _open(resources, settings, kind, process, watch))
        async with asyncio.TaskGroup() as tasks:
            for part in parts:
                tasks.create_task(part.run())
            try:
                yield
            finally:
                for part in parts:
                    part.stop()


async def _open(
    resources: AsyncExitStack, settings: Settings, kind: Kind, process: Process, watch: LoopWatch
) -> Looking:
    """Begin to serve; give the part that looks at the database."""
    database = await resources.enter_async_context(open_database(settings, pool_size=1, direct=kind != "consumer"))
    looking = Looking(database=database, looks=process.looks, interval_seconds=settings.monitoring_look_seconds)
    pools, started_at = {**process.pools, "monitoring": database}, time.time()
    ready = {"event loop": lambda: None, **process.ready}

    monitoring = Monitoring(
        loop=asyncio.get_running_loop(),
        watch=watch,
        readers=[
            *process.readers,
            lambda: read_process(kind, started_at),
            lambda: read_pools(pools),
            lambda: read_readiness(ready),
            looking.read,
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
    return looking
