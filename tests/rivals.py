"""Commands that rivals send at once for the same few streams, e-mails and ids, so that most of them collide."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from domain.commands import Command
from tests import making
from tests.ground import numbered


def _numbered(first: int, count: int) -> tuple[str, ...]:
    return tuple(numbered(first * 10_000 + number) for number in range(count))


@dataclass(frozen=True, slots=True, kw_only=True)
class Arena:
    """What all rivals know of, whether or not it is there yet.

    Args:
        owners: users who are there before anything else.
        users: who may be registered, with any of the e-mails.
        squads: which may be created, by any owner.
        projects, tasks: which may be started in any squad.
        emails: how many there are.
    """

    owners: tuple[str, ...] = field(default_factory=lambda: _numbered(1, 8))
    users: tuple[str, ...] = field(default_factory=lambda: _numbered(2, 60))
    squads: tuple[str, ...] = field(default_factory=lambda: _numbered(3, 50))
    projects: tuple[str, ...] = field(default_factory=lambda: _numbered(4, 100))
    tasks: tuple[str, ...] = field(default_factory=lambda: _numbered(5, 200))
    emails: int = 40

    def registrations(self) -> list[Command]:
        """Give the commands that make the owners known."""
        return [making.register_user(owner, f"{owner}@example.org") for owner in self.owners]

    def commands(self, chance: random.Random) -> Iterator[Command]:
        """Give a rival's commands without end."""
        while True:
            squad, project, task = chance.choice(self.squads), chance.choice(self.projects), chance.choice(self.tasks)
            new_owner = chance.choice((*self.owners, *self.users))
            match chance.choices(range(8), (3, 2, 5, 3, 4, 4, 1, 3))[0]:
                case 0:
                    email = f"{chance.randrange(self.emails)}@example.org"
                    yield making.register_user(chance.choice(self.users), email)
                case 1:
                    yield making.create_squad(chance.choice(self.owners), squad, roles=("developer", "tester"))
                case 2:
                    yield making.transfer(squad, new_owner)
                case 3:
                    yield making.create_project(squad, project)
                case 4:
                    yield making.create_task(squad, project, task)
                case 5:
                    yield making.complete_task(squad, task)
                case 6:
                    yield making.complete_project_tasks(squad, project)
                case _:
                    yield making.onboard(
                        chance.choice(self.users),
                        f"{chance.randrange(self.emails)}@example.org",
                        squad,
                        squad_optional=chance.random() < 0.5,
                    )

    def sparks(self, number: int) -> list[tuple[str, Command]]:
        """Give commands with their ids that all rivals send in the same round, each in an order of its own.

        Every second is the same command for all of them; the others are different ones for the same e-mail or id.
        """
        found: list[tuple[str, Command]] = []
        for place in range(8):
            user, squad = numbered(600_000 + number * 100 + place), numbered(700_000 + number * 100 + place)
            found += [
                (f"spark-{number}-user-{place}", making.register_user(user, f"same-{number}-{place}@example.org")),
                ("", making.register_user(making.new_id(), f"spark-{number}-{place}@example.org")),
                ("", making.register_user(user, f"other-{number}-{place}@example.org")),
                ("", making.onboard(user, f"same-{number}-{place}@example.org", squad, squad_optional=False)),
                ("", making.onboard(making.new_id(), f"next-{number}-{place}@example.org", squad, squad_optional=True)),
                (f"spark-{number}-squad-{place}", making.create_squad(self.owners[place % 8], squad)),
                ("", making.create_squad(self.owners[(place + 1) % 8], squad)),
            ]
        return found
