"""Building the HTTP API."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from fastapi import FastAPI

from api.application import build_application
from api.outcomes import Outcomes
from api.writing import Patience, Writing
from app.broker import client_arguments
from app.command_sender import CommandSender
from app.monitoring.pulse import Pulse
from app.settings import Settings
from app.wiring.databases import open_database, open_sessions
from app.wiring.monitoring import show_answers
from app.wiring.parts import Process

_LOOKS = 2
"""Connections that look for outcomes: one for those who wait, one for those who ask for one command."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """The API and the parts that must run while it serves.

    Args:
        application: answers requests.
        process: has the parts.
        outcomes: one of them, which knows who waits.
    """

    application: FastAPI
    process: Process
    outcomes: Outcomes


@asynccontextmanager
async def open_api(settings: Settings) -> AsyncIterator[Api]:
    """Give the API, whose connections are closed at the end; `db.sessions` is bound meanwhile."""
    # Connections that reads cannot take: a command that was sent would seem to have no outcome.
    async with AsyncExitStack() as resources:
        sessions = await resources.enter_async_context(open_sessions(settings))
        inbox = await resources.enter_async_context(open_database(settings, pool_size=_LOOKS))
        outcomes = Outcomes(database=inbox, poll_seconds=settings.api_poll_seconds)
        sender = CommandSender(
            topic=settings.topic("commands"),
            client=client_arguments(settings),
            timeout_seconds=settings.api_send_timeout_seconds,
        )
        patience = Patience(
            wait_seconds=settings.api_wait_seconds,
            retry_after_seconds=settings.api_retry_after_seconds,
            age_limit_seconds=settings.command_age_limit_seconds,
            skew_seconds=settings.command_skew_seconds,
        )
        application = build_application(
            writing=Writing(sender=sender, outcomes=outcomes, source=settings.api_source, patience=patience),
            outcomes=outcomes,
            retry_after_seconds=settings.api_retry_after_seconds,
            body_max_bytes=settings.api_body_max_bytes,
        )
        process = Process(parts=[sender, outcomes])
        process.pools.update(sessions=sessions, outcomes=inbox)
        if settings.monitoring_port is not None:
            await _add_pulse(resources, settings, process)
        yield Api(application=application, process=process, outcomes=outcomes)


async def _add_pulse(resources: AsyncExitStack, settings: Settings, process: Process) -> None:
    """Have the database asked whether it answers: the API may not write a heartbeat, and has nobody to read it."""
    database = await resources.enter_async_context(open_database(settings, pool_size=1))
    pulse = Pulse(database=database, interval_seconds=settings.heartbeat_interval_seconds)
    process.parts.append(pulse)
    show_answers(process, settings, database, lambda: pulse.answered_at)
