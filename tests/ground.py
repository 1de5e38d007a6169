"""What is there before commands are tried, so that each bad one is bad for one reason."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import text

from consumers.permissions import Permissions
from domain import commands
from domain.commands import Command
from domain.values import MAX_TOTAL
from messages.ids import CommandIds
from tests import making
from tests.applying import Bench
from tests.making import NOON, SOURCE, record

FLOOR: Final = NOON - timedelta(days=3)
"""What was sent by then, and is not known, may be forgotten."""

PERMISSIONS: Final = Permissions(sources={SOURCE: ["*"], "/shop": ["user.*"]}, reply_topics=["shop.outcomes"])

GROUND_PARTITION: Final = 99

MONTH: Final = "2026-05"


def numbered(number: int) -> str:
    """Give an id that is the same in every trial."""
    return str(UUID(int=number))


_SEATS: Final = "ground-seats"

SEATS: Final = CommandIds(SOURCE, _SEATS)
"""Gives the ids of members by the command that adds them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What is there before the commands on trial: ids of rows, by what makes them useful."""

    ada: str = numbered(1)
    bob: str = numbered(2)
    inactive: str = numbered(3)
    erased: str = numbered(4)
    squad: str = numbered(11)
    elsewhere: str = numbered(12)
    disbanded: str = numbered(13)
    project: str = numbered(21)
    archived: str = numbered(22)
    foreign_project: str = numbered(23)
    open_task: str = numbered(31)
    done_task: str = numbered(32)
    pending: str = numbered(33)
    started: str = numbered(34)
    completed: str = numbered(35)
    cancelled: str = numbered(36)
    free_seat: str = SEATS.new("member", 0)
    taken_seat: str = SEATS.new("member", 1)
    removed: str = SEATS.new("member", 2)
    feedback: str = numbered(41)
    withdrawn: str = numbered(42)
    missing: str = numbered(666)
    known: str = "known"
    """The id of a command that was decided."""

    def command_of_known(self) -> Command:
        return making.register_user(self.ada, "ada@example.org")

    async def lay(self, bench: Bench) -> None:
        """Make it so."""
        asked: list[Command] = [
            making.register_user(self.bob, "bob@example.org"),
            making.register_user(self.inactive, "inactive@example.org"),
            making.register_user(self.erased, "erased@example.org"),
            making.create_squad(self.ada, self.squad),
            making.create_squad(self.bob, self.elsewhere),
            making.create_squad(self.ada, self.disbanded),
            making.create_project(self.squad, self.project),
            making.create_project(self.squad, self.archived),
            making.create_project(self.elsewhere, self.foreign_project),
            making.create_task(self.squad, self.project, self.open_task),
            making.create_task(self.squad, self.project, self.done_task),
            making.complete_task(self.squad, self.done_task),
            *(
                making.create_task(self.elsewhere, self.foreign_project, task)
                for task in (self.pending, self.started, self.completed, self.cancelled)
            ),
            commands.StartTask(squad_id=self.elsewhere, task_id=self.started),
            making.complete_task(self.elsewhere, self.completed),
            commands.CancelTask(squad_id=self.elsewhere, task_id=self.cancelled),
            commands.ArchiveProject(squad_id=self.squad, project_id=self.archived),
            commands.DisbandSquad(squad_id=self.disbanded),
            commands.SeatUser(squad_id=self.elsewhere, member_id=self.taken_seat, user_id=self.bob),
            commands.RemoveMember(squad_id=self.elsewhere, member_id=self.removed),
            commands.SubmitFeedback(squad_id=self.elsewhere, feedback_id=self.feedback, rating=5),
            commands.SubmitFeedback(squad_id=self.elsewhere, feedback_id=self.withdrawn, rating=1),
            commands.WithdrawFeedback(squad_id=self.elsewhere, feedback_id=self.withdrawn),
            commands.RecordUsage(squad_id=self.elsewhere, metric="tokens", month=MONTH),
            commands.VerifyEmail(user_id=self.ada, email="ada@example.org"),
            commands.DeactivateUser(user_id=self.inactive),
            commands.DeleteUser(user_id=self.erased),
        ]
        squads = next(place for place, each in enumerate(asked) if isinstance(each, commands.StartTask))
        seats = commands.AddSquadMembers(squad_id=self.elsewhere, roles=("developer",) * 3)
        records = [record(command, command_id=f"ground-{number}") for number, command in enumerate(asked)]
        records.insert(squads, record(seats, command_id=_SEATS))
        counts = await bench.apply(
            record(self.command_of_known(), command_id=self.known),
            *records,
            partition=GROUND_PARTITION,
        )
        assert counts["applied"] == len(records) + 1
        async with bench.database.transaction() as session:
            await session.execute(text("UPDATE inbox_floor SET pruned_before = :floor"), {"floor": FLOOR})
            # It would take millions of commands.
            await session.execute(text("UPDATE usage_metrics SET value = :most"), {"most": MAX_TOTAL})


GROUND: Final = Ground()
