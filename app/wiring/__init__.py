"""The one place where parts are built."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from typing import Final, assert_never

from app.controls import Controls
from app.settings import Settings
from app.wiring.applying import build_processor, build_redriver, build_topics
from app.wiring.consumer import UPKEEP_CONNECTIONS, add_consumer, build_rule, build_source
from app.wiring.databases import build_database, make_partitions, migrate, open_database, open_sessions
from app.wiring.monitoring import monitored, show_answers
from app.wiring.parts import Kind, Part, Process
from app.wiring.relay import add_relays, build_retention, count_relay_connections
from outbox.wake import Notifier, Wake

__all__ = [
    "Kind",
    "Part",
    "Process",
    "build_database",
    "build_processor",
    "build_redriver",
    "build_retention",
    "build_rule",
    "build_source",
    "build_topics",
    "make_partitions",
    "migrate",
    "monitored",
    "open_database",
    "open_process",
    "open_sessions",
    "show_answers",
]

VERSION: Final = version("agent-squad")


@asynccontextmanager
async def open_process(settings: Settings, kind: Kind, *, prepared: bool = True) -> AsyncIterator[Process]:
    """Give a process, whose connections are closed at the end.

    Args:
        settings: of the process.
        kind: which parts it has.
        prepared: whether its parts may run at once; if not, the caller sees to `prepare`.
    """
    async with AsyncExitStack() as resources:
        database = await resources.enter_async_context(open_database(settings, batches=True))
        # Connections that the lanes cannot take: a relay that waits for one would lose its lease.
        own = await resources.enter_async_context(
            open_database(settings, pool_size=count_relay_connections(settings), direct=kind != "consumer")
        )
        upkeep = await resources.enter_async_context(open_database(settings, pool_size=UPKEEP_CONNECTIONS))
        process, wake = Process(), Wake()
        controls = Controls(
            database=upkeep,
            interval_seconds=settings.controls_interval_seconds,
            deploy_seconds=settings.deploy_wait_seconds,
        )
        # Before anything is read or published: what is paused stays so when a process starts.
        process.first.append(controls.read_first)
        process.parts.append(controls)
        process.pools.update(lanes=database, relay=own, upkeep=upkeep)
        process.describe["version"] = lambda: VERSION
        match kind:
            case "consumer":
                notifier = Notifier(database=own, pause_seconds=settings.notify_pause_seconds)
                process.parts.append(notifier)
                add_consumer(process, settings, database, upkeep, notifier.notify, controls)
            case "relay":
                add_relays(process, settings, own, wake, controls)
            case "all":
                add_consumer(process, settings, database, upkeep, wake.set, controls)
                add_relays(process, settings, own, wake, controls)
            case _:
                assert_never(kind)
        if prepared:
            await process.prepare()
        yield process
