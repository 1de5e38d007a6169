"""`python -m bench`: all contenders in turn on one stack, the ratios beside their targets."""

import argparse
import asyncio
import gc
import os
from pathlib import Path
from typing import Any

from sqlalchemy import text

import stack as stacks
from app import life, logs, wiring
from bench import consuming, relaying, report
from bench.ground import Ground, clean_up, prepare


async def run_round(ground: Ground, *, guide_commands: int) -> dict[str, dict[str, Any]]:
    """Run every contender once."""
    results: dict[str, dict[str, Any]] = {}
    results["guide"] = await consuming.run_guide(ground, number=guide_commands)
    gc.collect()
    results["consumer"] = await consuming.run_ours(ground, lanes=2)
    gc.collect()
    results["consumer, one lane"] = await consuming.run_ours(ground, lanes=1)
    gc.collect()
    results["limit"] = await consuming.run_limit(ground)
    gc.collect()
    results |= await relaying.run(ground)
    return results


async def run(stack: stacks.Stack, *, commands: int, guide_commands: int, rounds: int, seed: int) -> dict[str, Any]:
    """Prepare the ground and run all rounds."""
    ground = await prepare(stack, number=commands, seed=seed)
    async with wiring.open_database(ground.settings) as database, database.sessions() as session:
        postgres = str(await session.scalar(text("SHOW server_version")))
    results = report.circumstances(seed, postgres, stack.description)
    results |= {"commands": commands, "guide_commands": guide_commands, "rounds": []}
    for number in range(rounds):
        results["rounds"].append(await run_round(ground, guide_commands=guide_commands))
        print(f"round {number + 1} of {rounds}: " + _line(results["rounds"][-1]), flush=True)
    await clean_up(ground)
    return results


def _line(one: dict[str, dict[str, Any]]) -> str:
    return ", ".join(f"{name} {rates[0]:,.0f}/s" for name, rates in report.rates([one]).items())


def main() -> None:
    """Measure, print, and write the results."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--commands", type=int, default=40_000, help="measured commands")
    parser.add_argument("--guide-commands", type=int, default=1_500, help="of them, how many the guide's pattern gets")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=20261123)
    parser.add_argument("--short", action="store_true", help="one small round, to see that nothing rots")
    parser.add_argument("--output", type=Path, default=report.WAY)
    arguments = parser.parse_args()
    logs.quiet()
    # As our processes do; every contender here has the same.
    life.calm_collector()
    if arguments.short:
        arguments.commands, arguments.guide_commands, arguments.rounds = 2_000, 100, 1
    with stacks.start(
        name=f"bench-{os.getpid()}",
        benchmark=True,
        kafka_heap_mib=1024,
        postgres_shared_buffers_mib=512,
        progress=lambda step: print(step, flush=True),
    ) as stack:
        results = asyncio.run(
            run(
                stack,
                commands=arguments.commands,
                guide_commands=arguments.guide_commands,
                rounds=arguments.rounds,
                seed=arguments.seed,
            )
        )
    report.save(results, arguments.output)
    print(report.table(results), report.phases(results), report.processors(results), sep="\n\n")


if __name__ == "__main__":
    main()
