"""What every benchmark shares: sizes as options, servers of its own, results with their circumstances."""

import argparse
import asyncio
import gc
import os
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import stack as stacks
from app import life, logs
from bench import report
from bench.report import Row
from stack import Stack

SizesT = TypeVar("SizesT", bound=Any)

SEED = 20261123


@dataclass(frozen=True, slots=True, kw_only=True)
class Program(Generic[SizesT]):
    """A benchmark.

    Args:
        name: of its results file.
        module: what `python -m` runs.
        summary: what it measures, in a line or two.
        full, short: its sizes; the short ones show that nothing rots, and mean nothing.
        measure: runs it on servers, with sizes and a seed; gives what is written as JSON.
        rows: gives its lines of the table of measurements.
        details: gives what else the page of benchmarks shows, as Markdown.
    """

    name: str
    module: str
    summary: str
    full: SizesT
    short: SizesT
    measure: Callable[[Stack, SizesT, int], Awaitable[dict[str, Any]]]
    rows: Callable[[dict[str, Any]], list[Row]]
    details: Callable[[dict[str, Any]], str] = lambda _: ""


async def run(program: Program[SizesT], stack: Stack, sizes: SizesT, seed: int) -> dict[str, Any]:
    """Measure, and say on what it was measured."""
    said = await report.circumstances(stack, seed)
    return said | {"sizes": asdict(sizes)} | await program.measure(stack, sizes, seed)


def start_stack() -> Stack:
    """Start servers that are to be measured, or find those that the environment names."""
    return stacks.start(
        name=f"bench-{os.getpid()}",
        benchmark=True,
        kafka_heap_mib=1024,
        postgres_shared_buffers_mib=512,
        progress=lambda step: print(step, flush=True),
    )


def be_quiet() -> None:
    """Do as our own processes do; every contender that runs in this process has the same."""
    logs.quiet()
    life.calm_collector()


def show(program: Program[SizesT], results: dict[str, Any]) -> str:
    """Give a program's results as Markdown."""
    return "\n\n".join(part for part in (report.markdown(program.rows(results)), program.details(results)) if part)


def main(program: Program[SizesT]) -> None:
    """Measure, print, and write the results."""
    parser = argparse.ArgumentParser(prog=f"python -m {program.module}", description=program.summary)
    for each in fields(program.full):
        default = getattr(program.full, each.name)
        parser.add_argument(f"--{each.name.replace('_', '-')}", type=type(default), help=f"default {default:,}")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--short", action="store_true", help="small sizes, to see that nothing rots")
    parser.add_argument("--output", type=Path, default=report.RESULTS / f"{program.name}.json")
    arguments = parser.parse_args()
    given = {each.name: getattr(arguments, each.name) for each in fields(program.full)}
    sizes = replace(
        program.short if arguments.short else program.full,
        **{name: value for name, value in given.items() if value is not None},
    )
    be_quiet()
    with start_stack() as stack:
        results = asyncio.run(run(program, stack, sizes, arguments.seed))
    gc.collect()
    report.save(results, arguments.output)
    print(show(program, results))
