"""Commands at random on few squads and what is in them, so that they meet."""

import random
from collections.abc import Callable

from domain import commands
from domain.commands import Command
from domain.values import Priority
from messages import ids
from tests import making
from tests.making import SOURCE, new_id


def seats(command_id: str, count: int) -> list[str]:
    """Give the ids of the members that a command makes."""
    return [ids.CommandIds(SOURCE, command_id).new("member", index) for index in range(count)]


class FewThings:
    """A few users, squads and what is in them, so that commands on them meet."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.users = [new_id() for _ in range(3)]
        self.squads = [new_id() for _ in range(3)]
        self.members = {squad: seats(squad, 2) for squad in self.squads}
        self.projects = {squad: [new_id() for _ in range(2)] for squad in self.squads}
        self.tasks = {squad: [new_id() for _ in range(5)] for squad in self.squads}

    def given(self) -> list[tuple[Command, str]]:
        """Give what makes them, with the ids of the commands."""
        made: list[tuple[Command, str]] = [(making.register_user(user), user) for user in self.users]
        for squad in self.squads:
            made.append((making.create_squad(self.users[0], squad, roles=("developer", "tester")), squad))
            made += [(making.create_project(squad, project), project) for project in self.projects[squad]]
            tasks = zip(self.projects[squad] * 2, self.tasks[squad][:4], strict=True)
            made += [(making.create_task(squad, project, task), task) for project, task in tasks]
        return made

    def command(self, *, sweeps: bool = True) -> Command:
        """Give any command on them; many are refused, which is an answer."""
        squad = self.chance.choice(self.squads)
        user, member = self.chance.choice(self.users), self.chance.choice(self.members[squad])
        project, task = self.chance.choice(self.projects[squad]), self.chance.choice(self.tasks[squad])
        cancel = self.chance.random() < 0.5
        of_squad, of_task = {"squad_id": squad}, {"squad_id": squad, "task_id": task}
        of_member, of_project = {"squad_id": squad, "member_id": member}, {"squad_id": squad, "project_id": project}
        new_tasks = (commands.NewTask(task_id=task, title="T"), commands.NewTask(task_id=new_id(), title="T"))
        kinds: list[tuple[float, Callable[[], Command]]] = [
            (2, lambda: commands.RenameSquad(**of_squad, name=self.chance.choice("AB"))),
            (2, lambda: commands.DescribeSquad(**of_squad, description=self.chance.choice(("A", None)))),
            (2, lambda: commands.TransferSquadOwnership(**of_squad, new_owner_id=user)),
            (2, lambda: commands.ChangeMemberRole(**of_member, role=self.chance.choice("ab"))),
            (3, lambda: commands.SeatUser(**of_member, user_id=user)),
            (2, lambda: commands.UnseatUser(**of_member)),
            (2, lambda: commands.AddSquadMembers(**of_squad, roles=("writer",))),
            (2, lambda: commands.RenameProject(**of_project, name=self.chance.choice("AB"))),
            (3, lambda: commands.ReopenProject(**of_project)),
            (8, lambda: making.create_task(squad, project, task)),
            (3, lambda: commands.CreateTasks(**of_project, tasks=new_tasks)),
            (8, lambda: commands.AssignTask(**of_task, member_id=self.chance.choice((member, None)))),
            (3, lambda: commands.ChangeTaskPriority(**of_task, priority=self.chance.choice([*Priority]))),
            (6, lambda: commands.StartTask(**of_task)),
            (4, lambda: commands.CompleteTask(**of_task)),
            (4, lambda: commands.CancelTask(**of_task)),
            (6, lambda: commands.ReopenTask(**of_task, project_id=project)),
        ]
        if sweeps:
            kinds += [
                (3, lambda: commands.RemoveMember(**of_member)),
                (4, lambda: commands.ArchiveProject(**of_project, cancel_open_tasks=cancel)),
                (2, lambda: commands.CompleteProjectTasks(**of_project)),
                (0.5, lambda: commands.DisbandSquad(**of_squad, cancel_open_tasks=cancel)),
            ]
        weights, makers = zip(*kinds, strict=True)
        return self.chance.choices(makers, weights)[0]()
