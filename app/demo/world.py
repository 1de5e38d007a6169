"""The demo's picture of its squads: each command it asks for is one whose fate it knows."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import cycle
from typing import Final
from uuid import UUID

from domain import commands
from domain.rejections import Code
from domain.values import Priority

HOT_SQUADS: Final = 3
ROLES = ("developer", "reviewer", "tester", "planner")


@dataclass(slots=True)
class Squad:
    """A squad as the commands so far have made it."""

    id: str
    owner: str
    projects: list[str] = field(default_factory=list)
    open_tasks: list[tuple[str, str]] = field(default_factory=list)
    """Each with its project."""
    done_tasks: list[str] = field(default_factory=list)


class World:
    """Asks for commands, valid or refused by a rule, and remembers what the valid ones did.

    Args:
        chance: decides everything, ids too: the same seed asks for the same.
        hot_share: of what happens in squads, how much happens in the first few.
    """

    def __init__(self, chance: random.Random, *, hot_share: float = 0) -> None:
        self._chance = chance
        self._hot_share = hot_share
        self._users: list[tuple[str, str]] = []
        self._squads: list[Squad] = []
        self._refusals = cycle(
            (
                self._email_taken,
                self._user_exists,
                self._squad_exists,
                self._squad_not_found,
                self._user_not_found,
                self._same_owner,
                self._project_not_found,
                self._task_not_found,
                self._task_not_open,
            )
        )

    def new_id(self) -> str:
        """Give a fresh id."""
        return str(UUID(int=self._chance.getrandbits(128), version=4))

    def register_user(self) -> commands.Command:
        """Ask for a new user."""
        user_id = self.new_id()
        email = f"{user_id}@example.org"
        self._users.append((user_id, email))
        return commands.RegisterUser(user_id=user_id, email=email, name=f"Agent {len(self._users)}")

    def stray_user(self) -> commands.Command:
        """Ask for a user of whom nothing is remembered: the record will be spoilt."""
        user_id = self.new_id()
        return commands.RegisterUser(user_id=user_id, email=f"{user_id}@example.org", name="Nobody")

    def valid(self) -> commands.Command:
        """Ask for something in a squad that will be applied; users must be registered, and applied, before."""
        asks = {
            self._create_squad: 14,
            self._create_project: 12,
            self.create_task: 44,
            self._complete_task: 20,
            self._complete_project_tasks: 2,
            self._transfer: 8,
        }
        return self._chance.choices(tuple(asks), weights=tuple(asks.values()))[0]()

    def refused(self) -> tuple[commands.Command, Code]:
        """Ask for something that a rule refuses; the rules take turns."""
        while True:
            asked = next(self._refusals)()
            if asked is not None:
                return asked

    def create_task(self) -> commands.Command:
        """Ask for a task in some project, or for the project or squad that it needs first."""
        squad = self._squad_with(lambda each: bool(each.projects))
        if squad is None:
            return self._create_project()
        task_id, project_id = self.new_id(), self._chance.choice(squad.projects)
        squad.open_tasks.append((task_id, project_id))
        return commands.CreateTask(
            squad_id=squad.id,
            project_id=project_id,
            task_id=task_id,
            title=f"Task {self._chance.randrange(10_000)}",
            priority=self._chance.choice(tuple(Priority)),
        )

    def one_each(self) -> list[commands.Command]:
        """Ask for a project in every squad."""
        return [self._project_of(squad) for squad in self._squads]

    def _create_squad(self) -> commands.Command:
        squad = Squad(self.new_id(), self._user())
        self._squads.append(squad)
        roles = tuple(self._chance.choices(ROLES, k=self._chance.randrange(4)))
        return commands.CreateSquad(
            squad_id=squad.id, user_id=squad.owner, name=f"Squad {len(self._squads)}", roles=roles
        )

    def _create_project(self) -> commands.Command:
        squad = self._squad_with(lambda _: True)
        if squad is None:
            return self._create_squad()
        return self._project_of(squad)

    def _project_of(self, squad: Squad) -> commands.Command:
        project_id = self.new_id()
        squad.projects.append(project_id)
        return commands.CreateProject(squad_id=squad.id, project_id=project_id, name=f"Project {len(squad.projects)}")

    def _complete_task(self) -> commands.Command:
        squad = self._squad_with(lambda each: bool(each.open_tasks))
        if squad is None:
            return self.create_task()
        task_id, _ = squad.open_tasks.pop(self._chance.randrange(len(squad.open_tasks)))
        squad.done_tasks.append(task_id)
        return commands.CompleteTask(squad_id=squad.id, task_id=task_id)

    def _complete_project_tasks(self) -> commands.Command:
        squad = self._squad_with(lambda each: bool(each.projects))
        if squad is None:
            return self._create_project()
        project_id = self._chance.choice(squad.projects)
        squad.done_tasks += [task_id for task_id, within in squad.open_tasks if within == project_id]
        squad.open_tasks = [(task_id, within) for task_id, within in squad.open_tasks if within != project_id]
        return commands.CompleteProjectTasks(squad_id=squad.id, project_id=project_id)

    def _transfer(self) -> commands.Command:
        squad, owner = self._squad_with(lambda _: True), self._user()
        if squad is None or owner == squad.owner:
            return self._create_squad()
        squad.owner = owner
        return commands.TransferSquadOwnership(squad_id=squad.id, new_owner_id=owner)

    def _user(self) -> str:
        return self._chance.choice(self._users)[0]

    def _squad_with(self, fits: Callable[[Squad], bool]) -> Squad | None:
        """Give a squad that fits; a few tries do, for the callers have something else to ask for."""
        for _ in range(min(8, len(self._squads))):
            is_hot = self._hot_share > 0 and self._chance.random() < self._hot_share
            squad = self._chance.choice(self._squads[:HOT_SQUADS] if is_hot else self._squads)
            if fits(squad):
                return squad
        return None

    # What rules refuse

    def _email_taken(self) -> tuple[commands.Command, Code]:
        _, email = self._chance.choice(self._users)
        return commands.RegisterUser(user_id=self.new_id(), email=email.upper(), name="Twin"), Code.EMAIL_TAKEN

    def _user_exists(self) -> tuple[commands.Command, Code]:
        again = commands.RegisterUser(user_id=self._user(), email=f"{self.new_id()}@example.org", name="Again")
        return again, Code.USER_EXISTS

    def _squad_exists(self) -> tuple[commands.Command, Code] | None:
        squad = self._squad_with(lambda _: True)
        if squad is None:
            return None
        return commands.CreateSquad(squad_id=squad.id, user_id=self._user(), name="Again"), Code.SQUAD_EXISTS

    def _squad_not_found(self) -> tuple[commands.Command, Code]:
        nowhere = commands.CreateProject(squad_id=self.new_id(), project_id=self.new_id(), name="Nowhere")
        return nowhere, Code.SQUAD_NOT_FOUND

    def _user_not_found(self) -> tuple[commands.Command, Code]:
        nobodys = commands.CreateSquad(squad_id=self.new_id(), user_id=self.new_id(), name="Nobody's")
        return nobodys, Code.USER_NOT_FOUND

    def _same_owner(self) -> tuple[commands.Command, Code] | None:
        squad = self._squad_with(lambda _: True)
        if squad is None:
            return None
        return commands.TransferSquadOwnership(squad_id=squad.id, new_owner_id=squad.owner), Code.SAME_OWNER

    def _project_not_found(self) -> tuple[commands.Command, Code] | None:
        squad = self._squad_with(lambda _: True)
        if squad is None:
            return None
        lost = commands.CreateTask(squad_id=squad.id, project_id=self.new_id(), task_id=self.new_id(), title="Lost")
        return lost, Code.PROJECT_NOT_FOUND

    def _task_not_found(self) -> tuple[commands.Command, Code] | None:
        squad = self._squad_with(lambda _: True)
        if squad is None:
            return None
        return commands.CompleteTask(squad_id=squad.id, task_id=self.new_id()), Code.TASK_NOT_FOUND

    def _task_not_open(self) -> tuple[commands.Command, Code] | None:
        squad = self._squad_with(lambda each: bool(each.done_tasks))
        if squad is None:
            return None
        done = self._chance.choice(squad.done_tasks)
        return commands.CompleteTask(squad_id=squad.id, task_id=done), Code.CANNOT_COMPLETE_COMPLETED_TASK
