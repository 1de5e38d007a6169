"""Has a process die at every boundary of a batch or page, one after another, each incarnation at the next."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, Final

from sqlalchemy import text

from tests.faults.actors import Actor
from tests.faults.group import bury_members
from tests.faults.hooks import Part, Unit, read_report
from tests.faults.scenario import Scenario

ENOUGH: Final = 8
"""So many batches or pages without another boundary: there are no more."""

DEADLINE_SECONDS: Final[dict[Unit, float]] = {"statement": 30.0, "await": 240.0}
"""While each consumer dies in its first batch, there is nothing new for relays: so long that may take."""

ROLES: Final[dict[Part, str]] = {"batch": "consumer", "page": "relay"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Deaths:
    """Where processes died, and where those passed that did not, both by the names of boundaries.

    Args:
        died: one process each, in this order.
        undisturbed: all boundaries of the batches or pages that the last process did, which lived on.
    """

    died: list[str]
    undisturbed: frozenset[str]


async def die_everywhere(run: Scenario, part: Part, unit: Unit) -> Deaths:
    """Start processes of which each dies at the next boundary, until one finds no more; that one lives on.

    Args:
        run: a scenario under load.
        part: of which boundaries.
        unit: what is counted.
    """
    role, known = ROLES[part], list[str]()
    while True:
        report = run.directory / f"{part}-{unit}-{len(known)}.jsonl"
        actor = await run.start(
            role, hook="tests.faults.hooks:kill_at", part=part, unit=unit, known=known, report=str(report)
        )
        ended = await _watch(actor, report, DEADLINE_SECONDS[unit])
        if ended is None:
            # Under other load there might be one all the same, even now.
            await actor.stop()
            ended = _death(read_report(report))
        if ended is None:
            await run.restart(actor)
            undisturbed = frozenset(name for each in read_report(report) for name in each["passed"])
            run.journal.remark(f"{part} undisturbed", died=len(known), undisturbed=len(undisturbed))
            return Deaths(died=known, undisturbed=undisturbed)
        known.append(str(ended["ended"]))
        assert actor.code == -9, actor.log_tail()
        progress = await run.glance()
        breaks = int(part == "page")
        run.journal.note(f"{role} killed at every {unit}", breaks=breaks, code=actor.code, **ended, **progress)
        await _clear_away(run, part)


async def _watch(actor: Actor, report: Path, seconds: float) -> dict[str, Any] | None:
    """Give what the process said when it died, or nothing when it did enough without dying."""
    deadline = monotonic() + seconds
    while monotonic() < deadline:
        ended = not actor.lives
        told = read_report(report)
        if (death := _death(told)) is not None:
            await actor.wait()
            return death
        if len(told) >= ENOUGH:
            return None
        assert not ended, f"{actor.role.name} ended with {actor.code}\n{actor.log_tail()}"
        await asyncio.sleep(0.02)
    raise TimeoutError(f"{actor.role.name} did nothing for {seconds:g} s\n{actor.log_tail()}")


def _death(told: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Give what a process said when it died, which is the last that it says."""
    return told[-1] if told and "ended" in told[-1] else None


async def _clear_away(run: Scenario, part: Part) -> None:
    """Spare the next the wait until the dead one is missed, by the group or by the lease's end."""
    if part == "batch":
        await bury_members(run.settings)
        return
    async with run.database.transaction() as session:
        await session.execute(text("UPDATE leases SET expires_at = now() WHERE name LIKE 'relay-%'"))
