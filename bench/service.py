"""Our own processes, as an operator runs them, beside what measures them."""

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psutil

from app.demo.processes import Processes
from app.demo.watching import Watch
from app.settings import Settings, variable
from db.database import Database

CONSUMER_AND_RELAY: Final[Mapping[str, Sequence[str]]] = {"consumer": ["consume"], "relay": ["relay", "run"]}


@contextmanager
def running(settings: Settings, commands: Mapping[str, Sequence[str]] = CONSUMER_AND_RELAY) -> Iterator[Processes]:
    """Run `squad` commands, in the block.

    Args:
        settings: of theirs; those that are not the defaults go into their environment.
        commands: arguments of `squad`, by the process's name.
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        own = {variable(field): str(getattr(settings, field)) for field in settings.model_fields_set}
        environment = {**os.environ, **own}
        with Processes(commands, environment=environment, directory=Path(directory)) as processes:
            yield processes


def watch(settings: Settings, database: Database, processes: Processes) -> Watch:
    """Give what waits until processes are ready, and until they have done what was sent."""
    return Watch(settings=settings, database=database, processes=processes, on_decided=lambda _: None)


def resident_bytes(processes: Processes) -> dict[str, int]:
    """Give how much memory each process has now, by its name."""
    return {name: psutil.Process(pid).memory_info().rss for name, pid in processes.pids.items()}


def spent_seconds(processes: Processes) -> dict[str, float]:
    """Give the processor seconds that each process has spent so far, by its name."""
    times = {name: psutil.Process(pid).cpu_times() for name, pid in processes.pids.items()}
    return {name: each.user + each.system for name, each in times.items()}
