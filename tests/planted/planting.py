"""What a planted bug is: a patch of the real code, the run that meets what the code defends against, and who tells."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from checker.faults import Invariant
from tests.planted.trial import Trial

Step = Callable[[Trial], Awaitable[None]]
Needs = Literal["nothing", "a database of its own", "Kafka", "a PostgreSQL of its own"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantedBug:
    """One bug.

    Args:
        name: in the words of the design.
        plant: takes a defence out of the real code, for the trial.
        meets: what happens in the run, for people.
        scenario: the run.
        caught_by: the invariants that do not hold then, and no others.
        seed: of everything that the run draws.
        needs: what more than the tests' PostgreSQL.
        together_with: what else had to be taken out, or the service would stand still instead, for people.
        masked_by: another defence that catches the bug too, for people; `unmask` takes it out, so that this one shows.
    """

    name: str
    plant: Step
    meets: str
    scenario: Step
    caught_by: frozenset[Invariant]
    seed: int
    needs: Needs = "nothing"
    together_with: str = ""
    masked_by: str = ""
    unmask: Step | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HarmlessChange:
    """A change that was thought to be a bug, and is none as long as something else holds.

    Args:
        name: in the words of the design.
        plant: changes the real code, for the trial.
        scenario: the run that was to show it.
        why: it shows nothing, for people.
        seed: of everything that the run draws.
    """

    name: str
    plant: Step
    scenario: Step
    why: str
    seed: int
