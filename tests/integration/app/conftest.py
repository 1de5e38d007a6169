"""Verbs run in the test's own process, on a real database."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from typer.testing import CliRunner

from app.cli.main import app

Squad = Callable[..., Awaitable[list[dict[str, Any]]]]


@pytest.fixture
def squad(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Squad:
    """Runs a verb with `--json`, and gives what it printed."""
    monkeypatch.setenv("SQUAD_DATABASE_URL", database_url)

    async def run(*arguments: str) -> list[dict[str, Any]]:
        result = await asyncio.to_thread(CliRunner().invoke, app, [*arguments, "--json"])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == 0, result.output
        return [json.loads(line) for line in result.stdout.splitlines()]

    return run
