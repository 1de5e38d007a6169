"""`python -m bench.claims`: what the guide claims of asynchronous sessions, each beside what it claims it against."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from statistics import median
from typing import Any, Final

from app import wiring
from bench import report
from bench.claiming import lag, reads, statements, tables
from bench.claiming.reads import Read
from bench.ground import open_ground
from bench.program import Program, main
from bench.report import Row
from db.database import Database
from stack import Stack

IN_FLIGHT: Final = 100
"""Reads at once through asynchronous sessions, as the guide's claim is about concurrent requests."""

SUMMARY: Final = (
    "The guide's four claims, each beside what it is claimed against: reads through asynchronous sessions, 100 in "
    "flight, beside the same through synchronous ones on one connection (the guide names psycopg2, ours are psycopg "
    "3's); how long the event loop keeps a coroutine waiting meanwhile; bulk insert; eager loading."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much is measured.

    Args:
        squads: that the tables are filled with; five users and members, two projects, 25 tasks for each.
        reads: in each round, each way.
        lag_seconds: for how long delays are taken, each way.
        members: inserted in each round, each way.
        loaded_squads: of one load.
        loads: in each round, each way.
        rounds: of everything.
    """

    squads: int = 2_000
    reads: int = 1_200
    lag_seconds: float = 1.0
    members: int = 1_000
    loaded_squads: int = 100
    loads: int = 5
    rounds: int = 5


async def measure(stack: Stack, sizes: Sizes, seed: int) -> dict[str, Any]:
    """Fill the tables, warm up, and run all rounds."""
    chance = random.Random(seed)  # noqa: S311 - reproducible on purpose
    rounds = []
    async with open_ground(stack, partitions=1) as settings, wiring.open_database(settings) as database:
        await tables.fill(database, squads=sizes.squads)
        planned = reads.plan(chance, sizes.reads, squads=sizes.squads)
        warming = planned[: max(14, sizes.reads // 10)]
        await reads.rate_asynchronously(database, warming, in_flight=IN_FLIGHT)
        reads.rate_synchronously(database, warming)
        for number in range(sizes.rounds):
            rounds.append(await run_round(database, planned, sizes))
            shown = ", ".join(f"{name} {rate:,.0f}/s" for name, rate in rounds[-1]["reads_per_second"].items())
            print(f"round {number + 1} of {sizes.rounds}: {shown}", flush=True)
        load = {
            "reads": "14 of the guide's, each as often as another, each in a session of its own",
            "asynchronous connections": settings.database_pool_size,
            "synchronous connections": 1,
            "psycopg": version("psycopg"),
        }
    return {"load": load, "rounds": rounds}


async def run_round(database: Database, planned: Sequence[Read], sizes: Sizes) -> dict[str, Any]:
    """Measure every claim once, both sides of each one after the other."""
    rates = {
        "asynchronous": await reads.rate_asynchronously(database, planned, in_flight=IN_FLIGHT),
        "synchronous": reads.rate_synchronously(database, planned),
        "asynchronous, one at a time": await reads.rate_asynchronously(database, planned, in_flight=1),
    }
    delays = {}
    for name, chosen in (("reads", planned), ("slow reads", [reads.read_slowly])):
        delays[name] = {
            "asynchronous": await lag.while_asynchronous(
                database, chosen, in_flight=IN_FLIGHT, seconds=sizes.lag_seconds
            ),
            "synchronous": await lag.while_synchronous(database, chosen, seconds=sizes.lag_seconds),
        }
    return {
        "reads_per_second": rates,
        "delay_milliseconds": delays,
        "inserts": await statements.measure_inserts(database, members=sizes.members),
        "loads": await statements.measure_loads(database, squads=sizes.loaded_squads, times=sizes.loads),
    }


def rows(results: dict[str, Any]) -> list[Row]:
    """Give every claim; what comes out is told, nothing was promised."""
    return [*_reading(results["rounds"]), *_waiting(results["rounds"]), *_at_once(results["rounds"])]


def _reading(rounds: Sequence[dict[str, Any]]) -> list[Row]:
    found = {name: [each["reads_per_second"][name] for each in rounds] for name in rounds[0]["reads_per_second"]}
    beside = found["synchronous"]
    return [
        report.at_least(
            "the guide's reads, asynchronous, 100 in flight, beside synchronous on one connection (claimed: 10 x)",
            found["asynchronous"],
            beside,
            None,
        ),
        report.at_least("the same, asynchronous, one at a time", found["asynchronous, one at a time"], beside, None),
    ]


def _waiting(rounds: Sequence[dict[str, Any]]) -> list[Row]:
    lines = []
    slow = f"statements of {reads.SLOW_SECONDS * 1e3:g} ms"
    for name, words in (("reads", "reads"), ("slow reads", slow)):
        for mark in ("p50", "p99"):
            ours, theirs = (
                [each["delay_milliseconds"][name][side][mark] for each in rounds]
                for side in ("asynchronous", "synchronous")
            )
            what = (
                f"a coroutine's turn delayed, {mark}, by 100 asynchronous {words}, beside synchronous ones in the loop"
            )
            lines.append(report.at_most(what, ours, theirs, None, form="{:,.2f} ms"))
    return lines


def _at_once(rounds: Sequence[dict[str, Any]]) -> list[Row]:
    inserted = {name: [each["inserts"][name]["rows_per_second"] for each in rounds] for name in statements.INSERTS}
    lines = [
        report.at_least(f"members inserted by {name}, beside one by one", inserted[name], inserted["one by one"], None)
        for name in ("one statement", "a list of rows")
    ]
    eager, lazy = ([each["loads"][name]["milliseconds"] for each in rounds] for name in ("eager", "lazy"))
    what = "squads with members and projects loaded eagerly, beside lazily"
    return [*lines, report.at_most(what, eager, lazy, None)]


def details(results: dict[str, Any]) -> str:
    """Give how many statements each way sent."""
    sent = {
        **{f"insert, {name}": found["statements"] for name, found in results["rounds"][0]["inserts"].items()},
        **{
            f"load, {name}": median(each["loads"][name]["statements"] for each in results["rounds"])
            for name in results["rounds"][0]["loads"]
        },
    }
    table = report.as_table(list(sent), [[f"{number:,.0f}" for number in sent.values()]])
    return f"Statements sent for those rows; that of a list is sent once and run for each row:\n\n{table}"


PROGRAM: Final = Program(
    name="claims",
    module="bench.claims",
    summary=SUMMARY,
    full=Sizes(),
    short=Sizes(squads=120, reads=56, lag_seconds=0.1, members=20, loaded_squads=10, loads=1, rounds=1),
    measure=measure,
    rows=rows,
    details=details,
)

if __name__ == "__main__":
    main(PROGRAM)
