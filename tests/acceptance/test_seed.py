"""`squad seed` fills a running service by commands, and says what became of them."""

import asyncio
import json
from io import StringIO

import pytest
from rich.console import Console
from sqlalchemy import text

from app.demo.report import Report
from app.seeding.plan import Plan, Size
from app.seeding.run import NotDecidedError, Seeding
from app.settings import Settings
from db.database import Database
from tests.acceptance.conftest import running
from tests.inside import process_inside


async def rows(database: Database, query: str) -> list[tuple[object, ...]]:
    async with database.sessions() as session:
        return [tuple(row) for row in await session.execute(text(query))]


def seeding(settings: Settings, *, patience_seconds: float = 60) -> tuple[Seeding, StringIO]:
    shown = StringIO()
    report = Report(Console(file=shown, width=100, force_terminal=True))
    return Seeding(settings, source="/squad-seed", patience_seconds=patience_seconds, report=report), shown


async def test_everything_asked_for_is_there_and_progress_is_shown(service: Settings, database: Database) -> None:
    with running(service, "consume"):
        made, shown = seeding(service)
        done = await made.run(Plan(Size(squads=12, tasks=1_000), seed=1))

        again = await seeding(service)[0].run(Plan(Size(squads=12, tasks=1_000), seed=1))

    assert done["outcomes"] == {"applied": done["commands"]}
    assert await rows(database, "SELECT count(*) FROM squads") == [(12,)]
    assert await rows(database, "SELECT count(*), count(DISTINCT squad_id) FROM tasks") == [(1_000, 12)]
    assert await rows(database, "SELECT count(*) > 12 FROM squad_members") == [(True,)]
    assert f"{done['commands']}/{done['commands']}" in shown.getvalue()
    # The same seed asks for the same, which the rules refuse: nothing is doubled.
    assert "applied" not in again["outcomes"]
    assert again["outcomes"]["rejected: squad-exists"] == 12


async def test_nobody_who_decides_is_told_instead_of_waited_for(service: Settings) -> None:
    made, _ = seeding(service, patience_seconds=1)

    with pytest.raises(
        NotDecidedError, match="1 of 1 commands were not decided, and none for 1 s: does a consumer run"
    ):
        await made.run(Plan(Size(squads=3, tasks=10), seed=1))


async def test_verb_prints_what_was_done(service: Settings) -> None:
    async with process_inside(service, "consumer"):
        with running(service, "seed", "--squads", "2", "--tasks", "5", "--seed", "7", "--json") as verb:
            code, printed = await asyncio.to_thread(verb.finish)

    assert code == 0, printed
    assert json.loads(printed.splitlines()[-1])["seed"] == 7
