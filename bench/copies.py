"""`python -m bench.copies`: what a fresh database costs each test, and the template of which it is a copy each run."""

from collections.abc import Awaitable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any, Final, TypeVar

from agent_squad_testing.template import open_template
from app.settings import Settings
from bench import report
from bench.program import Program, main
from bench.report import Row
from stack import Stack

ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much is measured: rounds with a template of their own, and copies in each."""

    copies: int = 50
    rounds: int = 5


async def measure(stack: Stack, sizes: Sizes, seed: int) -> dict[str, Any]:
    """Make a template, then copies, one after the other as tests want them; the first is not counted."""
    settings = Settings(database_url=stack.database_url)
    return {"rounds": [await _round(settings, sizes.copies) for _ in range(sizes.rounds)]}


async def _round(settings: Settings, copies: int) -> dict[str, Any]:
    made: list[float] = []
    dropped: list[float] = []
    async with AsyncExitStack() as resources:
        template, template_milliseconds = await _timed(resources.enter_async_context(open_template(settings)))
        for _ in range(copies + 1):
            copied, milliseconds = await _timed(template.copy())
            made.append(milliseconds)
            _, milliseconds = await _timed(template.drop(copied))
            dropped.append(milliseconds)
    return {"template": template_milliseconds, "copy": median(made[1:]), "drop": median(dropped[1:])}


async def _timed(work: Awaitable[ResultT]) -> tuple[ResultT, float]:
    """Give what work gives, and the milliseconds that it took."""
    began = perf_counter()
    result = await work
    return result, (perf_counter() - began) * 1000


def rows(results: dict[str, Any]) -> list[Row]:
    """Give what each test pays, beside what it would pay for migrating a database of its own."""
    each_test = [each["copy"] + each["drop"] for each in results["rounds"]]
    migrated = [each["template"] for each in results["rounds"]]
    return [
        report.at_most("a fresh database for a test: copied and dropped, beside migrated", each_test, migrated, None)
    ]


def details(results: dict[str, Any]) -> str:
    """Give each part."""
    return f"Milliseconds, medians:\n\n{report.medians(results['rounds'])}"


PROGRAM: Final = Program(
    name="copies",
    module="bench.copies",
    summary="What the testing plugin's fresh database costs each test, and its migrated template each run.",
    full=Sizes(),
    short=Sizes(copies=2, rounds=1),
    measure=measure,
    rows=rows,
    details=details,
)

if __name__ == "__main__":
    main(PROGRAM)
