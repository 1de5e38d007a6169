"""Commands without end, to put around bad ones: all good, or good and bad by chance."""

import random
from collections.abc import Callable, Iterator

from domain import commands
from domain.commands import Command
from tests import making
from tests.ground import GROUND, numbered
from tests.making import new_id


def good_commands() -> Iterator[Command]:
    """Give commands without end that are all applied, in this order: on rows of the ground and on rows of their own."""
    number = 1000

    def fresh() -> str:
        nonlocal number
        number += 1
        return numbered(number)

    while True:
        user, squad, project, first, second = (fresh() for _ in range(5))
        yield making.register_user(user)
        yield making.create_squad(user, squad, roles=("developer", "tester"))
        yield commands.ChangeEmail(user_id=user, email=f"{squad}@example.org")
        yield making.create_project(GROUND.squad, fresh())
        yield making.onboard(fresh(), f"onboarded-{number}@example.org", fresh(), squad_optional=False)
        yield making.onboard(fresh(), f"onboarded-{number}@example.org", GROUND.squad, squad_optional=True)
        yield making.create_project(squad, project)
        yield making.create_task(squad, project, first)
        yield making.create_task(GROUND.squad, GROUND.project, second)
        yield making.transfer(squad, GROUND.ada)
        yield making.complete_task(GROUND.squad, second)
        yield commands.AddSquadMembers(squad_id=GROUND.squad, roles=("designer",))
        yield commands.StartTask(squad_id=squad, task_id=first)
        yield making.create_task(squad, project, fresh())
        yield making.complete_task(squad, first)
        if number % 8 == 0:
            yield making.create_task(GROUND.squad, GROUND.project, fresh())
            yield making.complete_project_tasks(GROUND.squad, GROUND.project)
            yield commands.ArchiveProject(squad_id=squad, project_id=project, cancel_open_tasks=True)


def mixed_commands(seed: int) -> Iterator[Command]:
    """Give commands without end, most of which apply, some of which a rule refuses for what others did before."""
    chance = random.Random(seed)
    users, squads, projects, tasks = ([new_id() for _ in range(40)] for _ in range(4))
    yield from (making.register_user(user) for user in users)
    yield from (making.create_squad(chance.choice(users), squad, roles=("developer", "tester")) for squad in squads)
    for squad, project, task in zip(squads, projects, tasks, strict=True):
        yield making.create_project(squad, project)
        yield making.create_task(squad, project, task)
    kinds: tuple[Callable[[int], Command], ...] = (
        lambda place: making.transfer(squads[place], chance.choice(users)),
        lambda place: making.complete_task(squads[place], tasks[place]),
        lambda place: making.create_task(squads[place], projects[place]),
        lambda place: making.complete_task(squads[place], new_id()),
        lambda _: making.register_user(chance.choice(users)),
        lambda place: making.onboard(chance.choice(users), f"{place}@example.org", new_id(), squad_optional=False),
        lambda place: making.onboard(new_id(), f"{new_id()}@example.org", squads[place], squad_optional=True),
        lambda _: making.register_user(new_id(), f"{chance.choice(users)}@example.org"),
        lambda place: commands.ChangeEmail(user_id=chance.choice(users), email=f"{users[place]}@example.org"),
    )
    while True:
        yield chance.choice(kinds)(chance.randrange(40))
