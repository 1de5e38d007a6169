"""What is asked for: a world of a given size, drawn by a seed."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from domain import commands
from domain.commands import Command, NewTask
from domain.values import Priority

SQUADS_PER_USER: Final = 10
MAX_PROJECTS: Final = 3
TASKS_AT_ONCE: Final = 200
"""Tasks of one command; it may have 1,000, but a record should stay small."""

ROLES: Final = ("developer", "reviewer", "tester", "planner", "designer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much there is to be.

    Args:
        squads: each with one to five members and one to three projects.
        tasks: in all, dealt to the squads evenly.
    """

    squads: int
    tasks: int

    @property
    def users(self) -> int:
        """How many own the squads."""
        return max(1, self.squads // SQUADS_PER_USER)


class Plan:
    """Gives the commands; the same seed gives the same, ids included.

    Args:
        size: how much there is to be.
        seed: of every choice.
    """

    def __init__(self, size: Size, *, seed: int) -> None:
        self.size = size
        self._chance = random.Random(seed)  # noqa: S311 - the same seed must plan the same
        self._owners: list[str] = []

    def users(self) -> Iterator[Command]:
        """Give those who will own the squads; they must be applied before `squads`."""
        for number in range(1, self.size.users + 1):
            self._owners.append(self._new_id())
            yield commands.RegisterUser(
                user_id=self._owners[-1], email=f"{self._owners[-1]}@example.org", name=f"User {number}"
            )

    def squads(self) -> Iterator[Command]:
        """Give the squads with everything in them; what is in one is in one stream, and so needs no waiting."""
        each, more = divmod(self.size.tasks, self.size.squads)
        for number in range(self.size.squads):
            yield from self._squad(number + 1, tasks=each + (number < more))

    def _squad(self, number: int, *, tasks: int) -> Iterator[Command]:
        squad_id, projects = self._new_id(), [self._new_id() for _ in range(self._chance.randint(1, MAX_PROJECTS))]
        roles = tuple(self._chance.sample(ROLES, self._chance.randint(1, len(ROLES))))
        yield commands.CreateSquad(
            squad_id=squad_id, user_id=self._chance.choice(self._owners), name=f"Squad {number}", roles=roles
        )
        for place, project_id in enumerate(projects):
            yield commands.CreateProject(squad_id=squad_id, project_id=project_id, name=f"Project {place + 1}")
        for begin in range(0, tasks, TASKS_AT_ONCE):
            made = self._tasks(begin, min(tasks, begin + TASKS_AT_ONCE))
            yield commands.CreateTasks(squad_id=squad_id, project_id=self._chance.choice(projects), tasks=made)

    def _tasks(self, begin: int, end: int) -> tuple[NewTask, ...]:
        priorities: Sequence[Priority] = tuple(Priority)
        return tuple(
            NewTask(task_id=self._new_id(), title=f"Task {number + 1}", priority=self._chance.choice(priorities))
            for number in range(begin, end)
        )

    def _new_id(self) -> str:
        return str(UUID(int=self._chance.getrandbits(128), version=4))
