"""`python -m bench.memory`: how much memory consumer and relay take over a million commands."""

import asyncio
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final

from sqlalchemy import text

from app import topic_logs, wiring
from app.demo.processes import Processes
from app.settings import Settings
from bench import flood, report, service
from bench.ground import open_ground
from bench.program import Program, main
from bench.report import Row
from db.database import Database
from stack import Stack

LIMIT_MB: Final = 200.0
SLOPE_LIMIT_MB: Final = 5.0
"""More than this over the last two thirds of the commands is a slope; allocators breathe by less."""

DECIDED: Final = text("SELECT COALESCE(sum(next_offset), 0) FROM checkpoints WHERE consumer_group = :consumer_group")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much is measured: commands, and how often the processes are looked at."""

    commands: int = 1_000_000
    interval_seconds: float = 1.0


async def measure(stack: Stack, sizes: Sizes, seed: int) -> dict[str, Any]:
    """Write all commands, then let the processes work, and look at them."""
    async with open_ground(stack) as settings, wiring.open_database(settings) as database:
        await flood.register_owners(settings, database)
        size = await flood.write(settings, flood.create_and_transfer(sizes.commands))
        with service.running(settings) as processes:
            watch = service.watch(settings, database, processes)
            await watch.until_ready()
            samples = await _sample(settings, database, processes, sizes)
            await watch.until_published()
            samples.append(_look(processes, samples[-1]["seconds"], samples[-1]["decided"]))
    load = {"bytes a command": size, "key skew": "none", "commands": "half create a squad, half transfer it"}
    return {"load": load, "samples": samples}


async def _sample(settings: Settings, database: Database, processes: Processes, sizes: Sizes) -> list[dict[str, Any]]:
    goal = sum((await topic_logs.end_offsets(settings, settings.topic("commands"))).values())
    began, decided, samples = perf_counter(), 0, []
    while decided < goal:
        await asyncio.sleep(sizes.interval_seconds)
        processes.check()
        async with database.sessions() as session:
            decided = int(await session.scalar(DECIDED, {"consumer_group": settings.consumer_group}))
        samples.append(_look(processes, perf_counter() - began, decided))
        if len(samples) % 15 == 0:
            print(f"{decided:,} of {goal:,} commands, {samples[-1]['megabytes']}", flush=True)
    return samples


def _look(processes: Processes, seconds: float, decided: int) -> dict[str, Any]:
    megabytes = {name: round(size / 1e6, 1) for name, size in service.resident_bytes(processes).items()}
    return {"seconds": round(seconds, 1), "decided": decided, "megabytes": megabytes}


def growth(samples: list[dict[str, Any]], name: str) -> float:
    """Give by how many MB a process grew over the last two thirds of the commands: least squares over its samples."""
    least = samples[-1]["decided"] / 3
    points = [(each["decided"], each["megabytes"][name]) for each in samples if each["decided"] >= least]
    mean_x, mean_y = (sum(values) / len(points) for values in zip(*points, strict=True))
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    if spread == 0:
        return 0.0
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
    return float(slope * (points[-1][0] - points[0][0]))


def rows(results: dict[str, Any]) -> list[Row]:
    """Give the most that each process had, and how much it grew."""
    samples, number = results["samples"], results["sizes"]["commands"]
    found = []
    for name in samples[-1]["megabytes"]:
        most = max(each["megabytes"][name] for each in samples)
        words = f"memory of the {name} over {number:,} commands"
        found.append(report.limited(f"{words}, most", [most], LIMIT_MB, form="{:.0f} MB"))
        grown = growth(samples, name)
        found.append(
            report.limited(f"{words}, growth over the last two thirds", [grown], SLOPE_LIMIT_MB, form="{:.1f} MB")
        )
    return found


def details(results: dict[str, Any]) -> str:
    """Give the memory at each tenth of the commands."""
    samples = results["samples"]
    names = list(samples[-1]["megabytes"])
    total = samples[-1]["decided"]
    tenths = [next(each for each in samples if each["decided"] >= total * part / 10) for part in range(1, 11)]
    lines = [(f"{each['decided']:,}", *(f"{each['megabytes'][name]:.0f} MB" for name in names)) for each in tenths]
    return report.as_table(("commands", *names), lines)


PROGRAM: Final = Program(
    name="memory",
    module="bench.memory",
    summary="Resident memory of consumer and relay over a million commands; one run. The slope is by least squares.",
    full=Sizes(),
    short=Sizes(commands=2_000, interval_seconds=0.1),
    measure=measure,
    rows=rows,
    details=details,
)

if __name__ == "__main__":
    main(PROGRAM)
