"""The whole way: the guide's own pattern, our consumer and the limit; our relay and bare producers."""

import gc
import os
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from bench import consuming, relaying, report
from bench.ground import Ground, prepare
from bench.program import Program
from bench.report import Row
from stack import Stack

TARGETS: Final = (
    ("consumer", "guide", "commands applied, beside the guide's own pattern", 60.0),
    ("consumer", "limit", "commands applied, beside the same rows by hand-made `unnest`", 0.5),
    ("relay", "bare send", "events relayed, beside bare `send()`", 1.8),
    ("relay", "bare send_batch", "events relayed, beside bare `send_batch()`", 0.4),
)
"""Contender, what runs beside it, in words, and the ratio wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much is measured: commands, how many of them the guide's pattern gets, rounds."""

    commands: int = 40_000
    guide_commands: int = 1_500
    rounds: int = 5


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


async def measure(stack: Stack, sizes: Sizes, seed: int) -> dict[str, Any]:
    """Prepare the ground and run all rounds."""
    rounds = []
    async with prepare(stack, number=sizes.commands, seed=seed) as ground:
        for number in range(sizes.rounds):
            rounds.append(await run_round(ground, guide_commands=sizes.guide_commands))
            print(f"round {number + 1} of {sizes.rounds}: " + _line(rounds[-1]), flush=True)
    return {"load": ground.load, "cores": os.cpu_count(), "rounds": rounds}


def _line(one: dict[str, dict[str, Any]]) -> str:
    return ", ".join(f"{name} {found[0]:,.0f}/s" for name, found in rates([one]).items())


def rates(rounds: list[dict[str, dict[str, Any]]]) -> dict[str, list[float]]:
    """Give each contender's rate in each round."""
    found: dict[str, list[float]] = {}
    for each in rounds:
        for name, result in each.items():
            found.setdefault(name, []).append(result.get("commands_per_second") or result["events_per_second"])
    return found


def rows(results: dict[str, Any]) -> list[Row]:
    """Give the ratios beside their targets."""
    measured = rates(results["rounds"])
    return [report.at_least(words, measured[one], measured[other], target) for one, other, words, target in TARGETS]


def phases(results: dict[str, Any]) -> str:
    """Give microseconds of wall time per command by phase, of the runs with one lane, as Markdown."""
    return report.medians([each["consumer, one lane"]["microseconds"] for each in results["rounds"]])


def processors(results: dict[str, Any]) -> str:
    """Give microseconds of processor time per command, by who spent them, of the runs with two lanes, as Markdown."""
    return report.medians([each["consumer"]["processor_microseconds"] for each in results["rounds"]])


def bound(results: dict[str, Any]) -> str:
    """Say how many commands these processor times leave room for, and how many the first target asks for."""
    rounds = results["rounds"]
    spent = median(sum(each["consumer"]["processor_microseconds"].values()) for each in rounds)
    most = results["cores"] * 1e6 / spent
    share = median(each["consumer"]["commands_per_second"] for each in rounds) / most
    wanted = TARGETS[0][3] * median(each["guide"]["commands_per_second"] for each in rounds)
    return (
        f"With {results['cores']} cores, all of them busy, that leaves room for {most:,.0f} commands/s, of which the"
        f" consumer reached {share:.0%}; {TARGETS[0][3]:.0f} times the guide's pattern would be {wanted:,.0f}/s."
    )


def details(results: dict[str, Any]) -> str:
    """Give where a command's time goes."""
    counts = results["rounds"][0]["consumer"]["counts"]
    became = ", ".join(f"{name} {number:,}" for name, number in sorted(counts.items()))
    return (
        f"What the commands became: {became}.\n\n"
        f"Processor time of a command in microseconds, two lanes:\n\n{processors(results)}\n\n"
        f"{bound(results)}\n\n"
        f"Wall time of a command in microseconds by phase, one lane:\n\n{phases(results)}"
    )


PROGRAM: Final = Program(
    name="way",
    module="bench",
    summary="The whole way: commands applied beside the guide's own pattern and beside the limit, "
    "events relayed beside bare producers of the same bytes.",
    full=Sizes(),
    short=Sizes(commands=2_000, guide_commands=100, rounds=1),
    measure=measure,
    rows=rows,
    details=details,
)
