"""`python -m bench.scaling`: two consumer processes beside one."""

import asyncio
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final

from sqlalchemy import text

from app import topic_logs, wiring
from app.settings import Settings
from bench import flood, report, service
from bench.ground import open_ground
from bench.program import Program, main
from bench.report import Row
from db.database import Database
from stack import Stack

LEFT: Final = text(
    """
    SELECT COALESCE(sum(x.goal - c.next_offset), 0)
    FROM unnest(CAST(:partitions AS integer[]), CAST(:goals AS bigint[])) AS x(partition, goal)
    JOIN checkpoints c USING (partition)
    WHERE c.consumer_group = :consumer_group
    """
)
READING: Final = text(
    """
    SELECT count(*), COALESCE(sum((SELECT count(*) FROM jsonb_object_keys(state -> 'positions'))), 0)
    FROM processes WHERE kind = 'consumer' AND state -> 'positions' <> '{}'
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much is measured: commands that all processes of a group share, rounds."""

    commands: int = 50_000
    rounds: int = 5


async def measure(stack: Stack, sizes: Sizes, seed: int) -> dict[str, Any]:
    """Let one, then two processes apply as many commands, again and again."""
    rounds = []
    for _ in range(sizes.rounds):
        found = {}
        for name, number in (("one", 1), ("two", 2)):
            async with open_ground(stack) as settings, wiring.open_database(settings) as database:
                found[name] = {"commands_per_second": await _rate(settings, database, number, sizes.commands)}
        rounds.append(found)
        print(", ".join(f"{name} {each['commands_per_second']:,.0f}/s" for name, each in found.items()), flush=True)
    load = {"commands": "half create a squad, half transfer it", "key skew": "none"}
    return {"load": load, "rounds": rounds}


async def _rate(settings: Settings, database: Database, number: int, commands: int) -> float:
    """Give how many commands a second so many processes apply, from when all read to the last commit."""
    await flood.register_owners(settings, database)
    processes = {f"consumer {each}": ["consume"] for each in range(1, number + 1)}
    # So that it is seen soon who reads what, and a group of two is settled soon.
    telling = settings.model_copy(update={"heartbeat_interval_seconds": 0.2, "heartbeat_seconds": 0.3})
    with service.running(telling, processes) as running:
        async with asyncio.timeout(60):
            while await _reading(database) != (number, settings.topic_partitions):
                running.check()
                await asyncio.sleep(0.05)
        await flood.write(settings, flood.create_and_transfer(commands // 10, first=commands))
        await _until_applied(settings, database)  # to warm up
        began = perf_counter()
        await flood.write(settings, flood.create_and_transfer(commands))
        await _until_applied(settings, database)
        return commands / (perf_counter() - began)


async def _reading(database: Database) -> tuple[int, int]:
    """Give how many consumers read partitions, and how many partitions these are."""
    async with database.sessions() as session:
        processes, partitions = (await session.execute(READING)).one()
    return int(processes), int(partitions)


async def _until_applied(settings: Settings, database: Database) -> None:
    goals = await topic_logs.end_offsets(settings, settings.topic("commands"))
    given = {
        "partitions": list(goals),
        "goals": list(goals.values()),
        "consumer_group": settings.consumer_group,
    }
    left = 1
    while left:
        await asyncio.sleep(0.01)
        async with database.sessions() as session:
            left = int(await session.scalar(LEFT, given) or 0)


def rows(results: dict[str, Any]) -> list[Row]:
    """Give the ratio; nothing was promised of it."""
    rates = [[each[name]["commands_per_second"] for each in results["rounds"]] for name in ("two", "one")]
    return [report.at_least("commands applied by two consumer processes, beside one", rates[0], rates[1], None)]


PROGRAM: Final = Program(
    name="scaling",
    module="bench.scaling",
    summary="Two consumer processes of a group beside one; broker, database and load share the machine with them.",
    full=Sizes(),
    short=Sizes(commands=200, rounds=1),
    measure=measure,
    rows=rows,
)

if __name__ == "__main__":
    main(PROGRAM)
