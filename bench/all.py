"""`python -m bench.all`: every benchmark, one after the other; then the documents that show the results.

Each is a process of its own on servers of its own, so that none pays for what another left behind. Short ones share one
process and one pair of servers: they are there to see that nothing rots.
"""

import argparse
import asyncio
import subprocess
import sys
from pathlib import Path
from time import monotonic

from bench import program, report
from bench.programs import PROGRAMS


def run_short(directory: Path, seed: int) -> None:
    """Run the short sizes of all, here."""
    program.be_quiet()
    with program.start_stack() as stack:
        for each in PROGRAMS:
            began = monotonic()
            results = asyncio.run(program.run(each, stack, each.short, seed))
            report.save(results, directory / f"{each.name}.json")
            print(f"{each.name}: {monotonic() - began:.1f} s\n\n{program.show(each, results)}\n", flush=True)


def run_full(directory: Path, seed: int, *, only: list[str]) -> int:
    """Run all in full, or those named; give how many failed."""
    began, failed = monotonic(), []
    chosen = [each for each in PROGRAMS if not only or each.name in only]
    for number, each in enumerate(chosen, 1):
        print(f"\n{monotonic() - began:.0f} s: {number} of {len(chosen)}, {each.name}: {each.summary}", flush=True)
        output = directory / f"{each.name}.json"
        command = [sys.executable, "-m", each.module, "--output", str(output), "--seed", str(seed)]
        if subprocess.run(command, check=False).returncode != 0:
            failed.append(each.name)
    print(f"\n{monotonic() - began:.0f} s: done, {', '.join(failed) or 'nothing'} failed", flush=True)
    return len(failed)


def main() -> None:
    """Run them."""
    parser = argparse.ArgumentParser(prog="python -m bench.all", description=__doc__)
    parser.add_argument("only", nargs="*", choices=[[], *(each.name for each in PROGRAMS)], help="default: all")
    parser.add_argument("--short", action="store_true", help="small sizes, in one process")
    parser.add_argument("--seed", type=int, default=program.SEED)
    parser.add_argument("--directory", type=Path, default=report.RESULTS, help="where the results go")
    arguments = parser.parse_args()
    if arguments.short:
        run_short(arguments.directory, arguments.seed)
        return
    failed = run_full(arguments.directory, arguments.seed, only=arguments.only)
    if arguments.directory == report.RESULTS:
        subprocess.run([sys.executable, "-m", "bench.readme"], check=True)
    sys.exit(min(failed, 1))


if __name__ == "__main__":
    main()
