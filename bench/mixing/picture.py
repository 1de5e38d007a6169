"""What there is after the commands so far: people, and squads with everything in them."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from bench.ground import SOURCE, new_id
from domain.commands import Command
from domain.values import OPEN, PlanTier, Priority, TaskStatus
from messages.ids import CommandIds

Thing = TypeVar("Thing")
Maker = Callable[[], Command | None]
Makers = Mapping[str, Maker]
"""What asks for a command, by its type; `None`: nothing was found that it could be about."""

TRIES: Final = 20
"""So often one is chosen by chance before all are looked at."""

ROLES: Final = ("developer", "reviewer", "tester", "planner")


@dataclass(slots=True)
class Person:
    """A user whom commands change; nobody in squads depends on them."""

    id: str
    email: str
    tier: PlanTier = PlanTier.FREE
    is_verified: bool = False
    is_active: bool = True


@dataclass(slots=True)
class PicturedMember:
    """A member of a squad."""

    id: str
    role: str
    is_seated: bool = False


@dataclass(slots=True)
class PicturedTask:
    """A task of a squad."""

    id: str
    project: str
    priority: Priority
    status: TaskStatus = TaskStatus.PENDING
    assignee: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether it is still to be done."""
        return self.status in OPEN


@dataclass(slots=True)
class PicturedSquad:
    """A squad that is not disbanded."""

    id: str
    members: list[PicturedMember] = field(default_factory=list)
    projects: list[str] = field(default_factory=list)
    archived: list[str] = field(default_factory=list)
    tasks: list[PicturedTask] = field(default_factory=list)
    feedback: list[str] = field(default_factory=list)

    def open_tasks(self, project: str | None = None) -> list[PicturedTask]:
        """Give the tasks that are still to be done, of a project or of all."""
        return [task for task in self.tasks if task.is_open and project in (None, task.project)]


class Picture:
    """What is remembered, and how things are chosen from it.

    Commands of one key are applied in their order, those of different keys in any. So a command about a squad names no
    user but those settled beforehand, whom no command changes.

    Args:
        chance: decides everything, ids too.
    """

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.settled: list[Person] = []
        self.people: list[Person] = []
        self.squads: list[PicturedSquad] = []
        self.ids = CommandIds(SOURCE, "")
        self._numbers = 0

    def new_id(self) -> str:
        """Give an id that the seed decides."""
        return new_id(self.chance)

    def new_name(self, kind: str) -> str:
        """Give a name that nothing had before."""
        self._numbers += 1
        return f"{kind} {self._numbers}"

    def settled_user(self) -> str:
        """Give a user whom no command changes."""
        return self.chance.choice(self.settled).id

    def find(self, things: Sequence[Thing], fits: Callable[[Thing], object]) -> Thing | None:
        """Give one that fits, each as likely as another; `None` if there is none."""
        for _ in range(TRIES if things else 0):
            thing = self.chance.choice(things)
            if fits(thing):
                return thing
        fitting = list(filter(fits, things))
        return self.chance.choice(fitting) if fitting else None

    def other(self, choices: Sequence[Thing], present: Thing) -> Thing:
        """Give a choice that is not the present one."""
        return self.chance.choice([each for each in choices if each != present])

    def new_members(self, number: int) -> tuple[tuple[str, ...], list[PicturedMember]]:
        """Give roles, and the members that the command of the present ids makes of them."""
        roles = tuple(self.chance.choices(ROLES, k=number))
        return roles, [PicturedMember(self.ids.new("member", place), role) for place, role in enumerate(roles)]
