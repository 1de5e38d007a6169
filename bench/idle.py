"""`python -m bench.idle`: what consumer and relay cost while nothing happens."""

import asyncio
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final

from app import wiring
from bench import processors, report, service
from bench.ground import open_ground
from bench.program import Program, main
from bench.report import Row
from stack import Stack

LIMIT_PERCENT: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much is measured: rounds of so many seconds each, after so many to settle."""

    settle_seconds: float = 5.0
    seconds: float = 12.0
    rounds: int = 5


async def measure(stack: Stack, sizes: Sizes, seed: int) -> dict[str, Any]:
    """Start both processes, leave them alone, and look what they spent."""
    async with open_ground(stack) as settings, wiring.open_database(settings) as database:
        with service.running(settings) as processes:
            await service.watch(settings, database, processes).until_ready()
            await asyncio.sleep(sizes.settle_seconds)
            rounds = []
            for _ in range(sizes.rounds):
                began, before, servers = perf_counter(), service.spent_seconds(processes), processors.spent_seconds()
                await asyncio.sleep(sizes.seconds)
                seconds = perf_counter() - began
                after, since = service.spent_seconds(processes), processors.spent_seconds()
                found = {name: (after[name] - before[name]) / seconds * 100 for name in after}
                found |= {name: (since[name] - servers[name]) / seconds * 100 for name in processors.NAMES.values()}
                rounds.append({"percent_of_a_core": found})
            megabytes = {name: size / 1e6 for name, size in service.resident_bytes(processes).items()}
    return {"rounds": rounds, "megabytes": megabytes}


def rows(results: dict[str, Any]) -> list[Row]:
    """Give the processor's and memory's share of each process."""
    found = []
    for name, size in results["megabytes"].items():
        spent = [each["percent_of_a_core"][name] for each in results["rounds"]]
        found.append(report.limited(f"idle {name}, of one core", spent, LIMIT_PERCENT, form="{:.1f} %"))
        found.append(Row(what=f"idle {name}, memory", measured=f"{size:.0f} MB"))
    return found


def details(results: dict[str, Any]) -> str:
    """Give what the servers spent meanwhile, whoever caused it."""
    return f"Percent of a core, medians:\n\n{report.medians([each['percent_of_a_core'] for each in results['rounds']])}"


PROGRAM: Final = Program(
    name="idle",
    module="bench.idle",
    summary="Processor time and memory of `squad consume` and `squad relay run` while nothing happens, for a minute.",
    full=Sizes(),
    short=Sizes(settle_seconds=0, seconds=0.5, rounds=1),
    measure=measure,
    rows=rows,
    details=details,
)

if __name__ == "__main__":
    main(PROGRAM)
