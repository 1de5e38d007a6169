"""`python -m bench.mix`: commands of every type, beside the narrow mix of the whole way."""

import gc
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from bench import consuming, report
from bench.ground import lay, prepare
from bench.mixing.plan import Mixture
from bench.mixing.weights import WEIGHTS
from bench.program import Program, main
from bench.report import Row
from stack import Stack

ALL: Final = "all types"
NARROW: Final = "way"
SUMMARY: Final = (
    "One consumer process on a mix of all command types, beside the same on the mix of the whole way: "
    "create 40 %, transfer 20 %, complete 40 %."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much is measured: commands of each of the two mixes, rounds."""

    commands: int = 30_000
    rounds: int = 5


async def measure(stack: Stack, sizes: Sizes, seed: int) -> dict[str, Any]:
    """Prepare both mixes, each with a database and a topic of its own, and let a consumer apply them in turn."""
    mixture = Mixture(random.Random(seed), sizes.commands)  # noqa: S311 - reproducible on purpose
    seeding, measured = mixture.plan()
    rounds = []
    async with (
        lay(stack, seeding, measured, {"weights": dict(WEIGHTS)}) as mixed,
        prepare(stack, number=sizes.commands, seed=seed) as narrow,
    ):
        for number in range(sizes.rounds):
            one = {}
            for name, ground in ((ALL, mixed), (NARROW, narrow)):
                one[name] = await consuming.run_ours(ground, lanes=2)
                gc.collect()
            rounds.append(one)
            shown = ", ".join(f"{name} {each['commands_per_second']:,.0f}/s" for name, each in one.items())
            print(f"round {number + 1} of {sizes.rounds}: {shown}", flush=True)
    load = mixed.load | {f"{name}, beside it": value for name, value in narrow.load.items() if name != "key skew"}
    return {"load": load, "rounds": rounds}


def rows(results: dict[str, Any]) -> list[Row]:
    """Give rates and processor time of both; nothing was promised of them."""
    rate, beside = (_figures(results, name, lambda each: each["commands_per_second"]) for name in (ALL, NARROW))
    spent, spent_beside = (
        _figures(results, name, lambda each: each["processor_microseconds"]["consumer"]) for name in (ALL, NARROW)
    )
    return [
        report.at_least("commands of all types applied, beside the mix of the whole way", rate, beside, None),
        report.at_most(
            "the consumer's processor time of a command, beside the same",
            spent,
            spent_beside,
            None,
            form="{:,.1f} µs",
        ),
    ]


def _figures(results: dict[str, Any], name: str, figure: Callable[[dict[str, Any]], float]) -> list[float]:
    return [figure(each[name]) for each in results["rounds"]]


def shares(types: Mapping[str, Mapping[str, int]]) -> dict[str, float]:
    """Give the share of each outcome, of all types together, in percent."""
    total = sum(sum(each.values()) for each in types.values())
    outcomes = sorted({outcome for each in types.values() for outcome in each})
    return {outcome: sum(each.get(outcome, 0) for each in types.values()) / total * 100 for outcome in outcomes}


def details(results: dict[str, Any]) -> str:
    """Give who spent the processor time, what the commands became, and how many there were of each type."""
    types = results["rounds"][0][ALL]["types"]
    became = ", ".join(f"{outcome} {share:.2f} %" for outcome, share in shares(types).items())
    parts = [f"What the commands of all types became: {became}."]
    for name, words in ((ALL, "all types"), (NARROW, "the mix of the whole way")):
        spent = report.medians([each[name]["processor_microseconds"] for each in results["rounds"]])
        parts.append(f"Processor time of a command in microseconds, {words}:\n\n{spent}")
    parts.append(f"Weights in thousandths, and how many there were:\n\n{_by_type(results['load']['weights'], types)}")
    return "\n\n".join(parts)


def _by_type(weights: Mapping[str, int], types: Mapping[str, Mapping[str, int]]) -> str:
    lines = []
    for name, weight in weights.items():
        found = types.get(name, {})
        other = sum(found.values()) - found.get("applied", 0)
        lines.append([f"`{name}`", str(weight), f"{found.get('applied', 0):,}", f"{other:,}"])
    return report.as_table(["command", "weight", "applied", "rejected"], lines)


PROGRAM: Final = Program(
    name="mix",
    module="bench.mix",
    summary=SUMMARY,
    full=Sizes(),
    short=Sizes(commands=1_500, rounds=1),
    measure=measure,
    rows=rows,
    details=details,
)

if __name__ == "__main__":
    main(PROGRAM)
