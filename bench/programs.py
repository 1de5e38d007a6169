"""Every benchmark there is, in the order in which they run and are shown."""

from typing import Any, Final

from bench import claims, cold, copies, growth, horizon, idle, inserting, kept, latency, memory, mix, scaling, way
from bench.peers import contest
from bench.program import Program

PROGRAMS: Final[tuple[Program[Any], ...]] = (
    way.PROGRAM,
    mix.PROGRAM,
    contest.PROGRAM,
    latency.PROGRAM,
    memory.PROGRAM,
    kept.PROGRAM,
    horizon.PROGRAM,
    growth.PROGRAM,
    scaling.PROGRAM,
    idle.PROGRAM,
    cold.PROGRAM,
    inserting.PROGRAM,
    claims.PROGRAM,
    copies.PROGRAM,
)
