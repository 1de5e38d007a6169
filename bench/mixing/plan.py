"""The commands of the mix: what prepares it, and what is measured."""

import random
from collections.abc import Callable, Sequence

from bench.ground import SOURCE, USERS
from bench.mixing.people import People
from bench.mixing.picture import Makers, Picture
from bench.mixing.squads import Squads
from bench.mixing.weights import WEIGHTS
from bench.mixing.work import Work
from domain.commands import Command
from messages.ids import CommandIds

TASKS_OF_A_SQUAD = 4
"""Prepared ones."""


class Mixture:
    """Plans the mix; the same seed plans the same.

    Args:
        chance: decides everything.
        number: how many commands are measured; what is prepared grows with them.
    """

    def __init__(self, chance: random.Random, number: int) -> None:
        self._number = number
        self._chance = chance
        self._picture = Picture(chance)
        self._people, self._squads, self._work = People(self._picture), Squads(self._picture), Work(self._picture)
        self.makers: Makers = {**self._people.makers(), **self._squads.makers(), **self._work.makers()}

    def plan(self) -> tuple[list[list[Command]], list[Command]]:
        """Give the preparing commands, in stages that wait for each other, and the measured ones.

        They are to be sent under the names that `ground.lay` gives them: ids of members follow from those of commands.
        """
        things = max(50, self._number // 10)
        users = [*(self._people.settle() for _ in range(USERS)), *(self._people.register() for _ in range(things))]
        squads = self._number_them("seed-1", [self._squads.create] * things)
        projects = [self._squads.create_project(squad) for squad in self._picture.squads]
        tasks = [self._work.create_task(squad) for squad in self._picture.squads * TASKS_OF_A_SQUAD]
        chosen = self._chance.choices(list(WEIGHTS), weights=list(WEIGHTS.values()), k=self._number * 2)
        measured = self._number_them("measured", [self.makers[name] for name in chosen], limit=self._number)
        return [users, squads, projects, tasks], measured

    def _number_them(
        self, name: str, makers: Sequence[Callable[[], Command | None]], *, limit: int | None = None
    ) -> list[Command]:
        """Make commands, each by its maker under the id that it will have; one that finds nothing is passed by."""
        made: list[Command] = []
        for maker in makers:
            if len(made) == limit:
                break
            self._picture.ids = CommandIds(SOURCE, f"{name}-{len(made)}")
            command = maker()
            if command is not None:
                made.append(command)
        return made
