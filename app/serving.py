"""The HTTP API as a process: check, listen, serve, stop when told."""

import asyncio
import logging
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from app import broker, postgres
from app.listening import listen
from app.settings import Settings
from app.wiring.http import Api, open_api
from app.wiring.monitoring import monitored

logger = logging.getLogger("squad.api")


class _Server(uvicorn.Server):
    """Leaves signals to us: its own way ends the process by the signal, not with exit code 0."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT.

    Kafka and PostgreSQL may be away, requests are told so; what waiting does not cure ends the process at once.

    Raises:
        app.listening.ListenError: the address is taken, or none of ours.
        app.settings.SettingsError: the port of the metrics is taken.
        app.postgres.RefusedError: PostgreSQL will not have us.
        app.broker.TopicError: the topics do not fit.
    """
    await postgres.check_database(settings, "consumer")
    try:
        await broker.check_topics(settings)
    except broker.UNREACHABLE as error:
        logger.warning("kafka is not there yet: %s", error)
    with listen(settings) as listening:
        async with open_api(settings) as api:
            await _run_together(api, settings, listening)
    logger.info("api stopped")


async def _run_together(api: Api, settings: Settings, listening: socket.socket) -> None:
    """Run server and parts until told to stop; requests under way are answered first, without waiting any longer."""
    server = _Server(
        uvicorn.Config(
            api.application,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=max(1, round(settings.api_stop_seconds)),
        )
    )

    def stop() -> None:
        server.should_exit = True
        api.outcomes.stop()

    api.process.ready["process"] = lambda: "it is to end" if server.should_exit else None
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    host, port = listening.getsockname()[:2]
    logger.info("api listens at %s port %d", host, port)
    try:
        async with monitored(settings, "api", api.process), asyncio.TaskGroup() as tasks:
            for part in api.process.parts:
                tasks.create_task(part.run())
            await server.serve(sockets=[listening])
            for part in api.process.parts:
                part.stop()
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
