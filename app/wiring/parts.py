"""What a process is made of."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from app.monitoring.looking import Look
from app.monitoring.readiness import Wellness
from app.monitoring.readings import Reader
from db.database import Database

Kind = Literal["consumer", "relay", "all"]
"""What a process is: a consumer, a relay, or both."""

Shown = Literal["consumer", "relay", "all", "api"]
"""What shows how it is by HTTP: these, and the HTTP API."""


class Part(Protocol):
    """A long-lived part: runs until stopped; stopping twice is stopping once."""

    async def run(self) -> None: ...
    def stop(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Process:
    """The parts of a process.

    Args:
        parts: each runs until it is stopped.
        first: what has to be done before any of them runs; may wait for the database.
        describe: give what the process shows of itself, by subject.
        readers: give the parts' metrics.
        looks: ask the database for metrics that stand there.
        ready: say what is not well with a part, by its name.
        pools: of connections, by what they are for.
    """

    parts: list[Part] = field(default_factory=list)
    first: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    describe: dict[str, Callable[[], Any]] = field(default_factory=dict)
    readers: list[Reader] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)
    ready: dict[str, Wellness] = field(default_factory=dict)
    pools: dict[str, Database] = field(default_factory=dict)

    async def prepare(self) -> None:
        """Do what has to be done before the parts run."""
        for work in self.first:
            await work()


def show_error(last: tuple[datetime, str] | None) -> dict[str, str] | None:
    """Give what went wrong last, as JSON has it."""
    return None if last is None else {"at": last[0].isoformat(timespec="seconds"), "said": last[1]}
