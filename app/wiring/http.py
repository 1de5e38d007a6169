"""Building the HTTP API."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import FastAPI

from api.application import build_application
from api.outcomes import Outcomes
from api.writing import Patience, Writing
from app.broker import client_arguments
from app.command_sender import CommandSender
from app.settings import Settings
from app.wiring.databases import open_database, open_sessions
from app.wiring.parts import Part

_LOOKS = 2
"""Connections that look for outcomes: one for those who wait, one for those who ask for one command."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """The API and the parts that must run while it serves.

    Args:
        application: answers requests.
        parts: run until they are stopped.
        outcomes: one of them, which knows who waits.
    """

    application: FastAPI
    parts: list[Part]
    outcomes: Outcomes


@asynccontextmanager
async def open_api(settings: Settings) -> AsyncIterator[Api]:
    """Give the API, whose connections are closed at the end; `db.sessions` is bound meanwhile."""
    # Connections that reads cannot take: a command that was sent would seem to have no outcome.
    async with open_sessions(settings), open_database(settings, pool_size=_LOOKS) as inbox:
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
        yield Api(application=application, parts=[sender, outcomes], outcomes=outcomes)
