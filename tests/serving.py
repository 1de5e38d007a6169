"""The HTTP API inside a test: its parts run, and a client that speaks to it without a network."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx

from api.asked import ask_anew
from app.settings import Settings
from app.wiring.http import Api, open_api
from app.wiring.parts import Part


@dataclass(frozen=True, slots=True)
class Served:
    """An API that runs.

    Args:
        settings: its own.
        api: with its parts.
        client: speaks to it.
    """

    settings: Settings
    api: Api
    client: httpx.AsyncClient


def new_key() -> str:
    """Give an Idempotency-Key."""
    return ask_anew(datetime.now(UTC)).id


@asynccontextmanager
async def running_parts(parts: Iterable[Part]) -> AsyncIterator[None]:
    """Run parts, which are stopped at the end. Not in a group: fixtures begin and end in different tasks."""
    parts = list(parts)
    tasks = [asyncio.create_task(part.run()) for part in parts]
    try:
        yield
    finally:
        for part in parts:
            part.stop()
        await asyncio.gather(*tasks)


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[Served]:
    """Serve inside the test."""
    async with open_api(settings) as api, running_parts(api.process.parts):
        transport = httpx.ASGITransport(app=api.application, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://api", timeout=60) as client:
            yield Served(settings, api, client)


def problem(response: httpx.Response) -> dict[str, Any]:
    """Give the problem that a response tells."""
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert body["status"] == response.status_code
    return body
