"""`python -m bench.cold`: how long `squad --help` takes, and `squad run` until it has applied a first command."""

import asyncio
import random
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Final

from sqlalchemy import text

from app import wiring
from app.settings import Settings
from bench import report, service
from bench.ground import SOURCE, new_id, open_ground, send
from bench.program import Program, main
from bench.report import Row
from db.database import Database
from domain import commands
from stack import Stack

SQUAD: Final = Path(sys.executable).parent / "squad"
HELP_LIMIT_SECONDS: Final = 0.4
FIRST_LIMIT_SECONDS: Final = 3.0
DECIDED: Final = text("SELECT 1 FROM inbox WHERE source = :source AND command_id = :command_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much is measured: how often each is started."""

    helps: int = 15
    starts: int = 5


async def measure(stack: Stack, sizes: Sizes, seed: int) -> dict[str, Any]:
    """Start each a number of times; the first help is not counted, it fills the file cache."""
    chance = random.Random(seed)  # noqa: S311 - reproducible on purpose
    helps = [await asyncio.to_thread(_help_seconds) for _ in range(sizes.helps + 1)][1:]
    starts = []
    async with open_ground(stack) as settings, wiring.open_database(settings) as database:
        for number in range(sizes.starts):
            user = new_id(chance)
            command = commands.RegisterUser(user_id=user, email=f"{user}@example.org", name="User")
            await send(settings, [command], name=f"cold-{number}")
            starts.append(await _first_seconds(settings, database, f"cold-{number}-0"))
    return {"help_seconds": helps, "first_command_seconds": starts}


def _help_seconds() -> float:
    began = perf_counter()
    subprocess.run([SQUAD, "--help"], check=True, capture_output=True)
    return perf_counter() - began


async def _first_seconds(settings: Settings, database: Database, command_id: str) -> float:
    """Give the seconds from starting the process to the commit of a command that waits for it."""
    given = {"source": SOURCE, "command_id": command_id}
    began = perf_counter()
    with service.running(settings, {"squad": ["run"]}) as processes:
        async with asyncio.timeout(60):
            while True:
                processes.check()
                async with database.sessions() as session:
                    if await session.scalar(DECIDED, given):
                        return perf_counter() - began
                await asyncio.sleep(0.01)


def rows(results: dict[str, Any]) -> list[Row]:
    """Give both beside their limits."""
    return [
        report.limited("`squad --help`", results["help_seconds"], HELP_LIMIT_SECONDS, form="{:.2f} s"),
        report.limited(
            "`squad run` to the first command applied, beside running services",
            results["first_command_seconds"],
            FIRST_LIMIT_SECONDS,
            form="{:.2f} s",
        ),
    ]


PROGRAM: Final = Program(
    name="cold",
    module="bench.cold",
    summary="Cold start: `squad --help`, and `squad run` until a command that waits for it is applied.",
    full=Sizes(),
    short=Sizes(helps=1, starts=1),
    measure=measure,
    rows=rows,
)

if __name__ == "__main__":
    main(PROGRAM)
