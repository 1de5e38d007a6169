"""A bad command of every kind, and the ground on which it is one; good commands to put around it."""

import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import cycle
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from consumers.permissions import Permissions
from domain import commands
from domain.commands import Command
from domain.rejections import Code
from domain.values import MAX_TOTAL, PlanTier, Priority
from messages.ids import CommandIds
from messages.refusals import Reason
from tests import making
from tests.applying import Bench
from tests.making import NOON, SOURCE, FakeRecord, new_id, record, structured

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

Build = Callable[[str], FakeRecord]
"""Makes a bad record; the argument is the command's id."""


def _changed(
    command: Command,
    *,
    key: bytes | None = None,
    value: bytes | None = None,
    headers: Mapping[str, bytes | None] | None = None,
    more: int = 0,
    **options: Any,
) -> Build:
    """Give a good record with something about it changed; a header without value is left out."""

    def build(command_id: str) -> FakeRecord:
        made = record(command, command_id=command_id, **options)
        made.key = made.key if key is None else key
        made.value = made.value if value is None else value
        changes = headers or {}
        made.headers = [each for each in made.headers if each[0] not in changes]
        made.headers += [(name, content) for name, content in changes.items() if content is not None]
        made.headers += [(f"h{number}", b"") for number in range(more)]
        return made

    return build


def _of(command: Command, **extensions: str) -> Build:
    return lambda command_id: record(command, command_id=command_id, extensions=extensions)


def _tombstone(command_id: str) -> FakeRecord:
    made = record(USER, command_id=command_id)
    made.value = None
    return made


def _unkeyed(command_id: str) -> FakeRecord:
    made = record(USER, command_id=command_id)
    made.key = None
    return made


def _role(member_id: str, role: str) -> Command:
    return commands.ChangeMemberRole(squad_id=GROUND.elsewhere, member_id=member_id, role=role)


def _start(task_id: str) -> Command:
    return commands.StartTask(squad_id=GROUND.elsewhere, task_id=task_id)


def _cancel(task_id: str) -> Command:
    return commands.CancelTask(squad_id=GROUND.elsewhere, task_id=task_id)


def _reopen(task_id: str) -> Command:
    return commands.ReopenTask(squad_id=GROUND.elsewhere, project_id=GROUND.foreign_project, task_id=task_id)


def _withdraw(feedback_id: str) -> Command:
    return commands.WithdrawFeedback(squad_id=GROUND.elsewhere, feedback_id=feedback_id)


USER: Final = making.register_user(numbered(700), "seven@example.org")
"""A command that would be applied, but for what is changed about its record."""

UNREADABLE: Final[Mapping[str, Build]] = {
    "noise": lambda _: FakeRecord(key=b"\xff\x00", value=b"\x00noise", headers=[("n\0ame", b"\xff")]),
    "nothing at all": lambda _: FakeRecord(key=None, value=None),
    "header that is no text": _changed(USER, headers={"ce_subject": b"\xff\xfe"}),
    "time missing": _changed(USER, headers={"ce_time": None}),
    "time of no calendar": _changed(USER, headers={"ce_time": b"2026-02-30T12:00:00Z"}),
    "version that is no number": _of(USER, expectedversion="-1"),
    "data cut off": _changed(USER, value=b'{"user_id": "'),
    "data of another content type": _changed(USER, headers={"content-type": b"text/plain"}),
    "tombstone": _tombstone,
    "structured, and not JSON": _changed(
        USER, headers={"content-type": b"application/cloudevents+json"}, value=b"\xff{"
    ),
}

REFUSED: Final[Mapping[str, tuple[Reason, Build]]] = {
    **{name: (Reason.UNREADABLE, build) for name, build in UNREADABLE.items()},
    "type of nobody": (Reason.UNKNOWN_TYPE, _changed(USER, headers={"ce_type": b"user.promote.v1"})),
    "field missing": (Reason.INVALID_DATA, _changed(USER, value=b"{}")),
    "field too many": (
        Reason.INVALID_DATA,
        _changed(
            USER,
            value=json.dumps({"user_id": USER.user_id, "email": USER.email, "name": "Ada", "nmae": "Ada"}).encode(),
        ),
    ),
    "field twice": (
        Reason.INVALID_DATA,
        _changed(
            USER,
            value=f'{{"user_id":"{USER.user_id}","email":"{USER.email}","name":"Ada","name":"Eve"}}'.encode(),
        ),
    ),
    "number that is no whole one": (
        Reason.INVALID_DATA,
        _changed(
            commands.RecordUsage(squad_id=GROUND.elsewhere, metric="tokens", month=MONTH),
            value=f'{{"squad_id":"{GROUND.elsewhere}","metric":"tokens","month":"{MONTH}","amount":1e400}}'.encode(),
        ),
    ),
    "name with a NUL": (Reason.INVALID_DATA, _of(making.register_user(USER.user_id, USER.email, "A\0da"))),
    "key of another stream": (Reason.KEY_MISMATCH, _changed(USER, key=GROUND.ada.encode())),
    "no key": (Reason.KEY_MISMATCH, _unkeyed),
    "id used before": (Reason.ID_CONFLICT, lambda _: record(USER, command_id=GROUND.known)),
    "id used before, and invalid": (
        Reason.ID_CONFLICT,
        lambda _: _changed(USER, value=b"{}")(GROUND.known),
    ),
    "source of nobody": (Reason.SOURCE_FORBIDDEN, _changed(USER, source="/thief")),
    "source that may not send this": (
        Reason.SOURCE_FORBIDDEN,
        _changed(making.create_squad(GROUND.ada, numbered(701)), source="/shop"),
    ),
    "reply to a topic that is not listed": (Reason.REPLY_FORBIDDEN, _of(USER, replyto="squad.commands")),
    "record too large": (Reason.TOO_LARGE, _changed(USER, value=b" " * 1_048_577)),
    "too many headers": (Reason.TOO_LARGE, _changed(USER, more=65)),
    "too deep": (Reason.TOO_LARGE, _changed(USER, value=b"[" * 40 + b"]" * 40)),
    "too many values": (Reason.TOO_LARGE, _changed(USER, value=b"[" + b"1," * 10_000 + b"1]")),
    "sent too long ago": (Reason.TOO_OLD, _changed(USER, time=NOON - timedelta(days=8))),
    "sent before the floor": (Reason.TOO_OLD, _changed(USER, time=FLOOR)),
    "sent in the last microsecond of all": (
        Reason.FROM_THE_FUTURE,
        _changed(USER, headers={"ce_time": b"9999-12-31T23:59:59.999999Z"}),
    ),
    "sent in the first year": (Reason.TOO_OLD, _changed(USER, headers={"ce_time": b"0001-01-01T00:00:00Z"})),
    "sent in the future": (Reason.FROM_THE_FUTURE, _changed(USER, time=NOON + timedelta(minutes=6))),
}
"""What becomes a dead letter, by a few words."""

REJECTED: Final[Mapping[str, tuple[Code, Build]]] = {
    "e-mail taken": (Code.EMAIL_TAKEN, _of(making.register_user(numbered(703), "ADA@example.org"))),
    "user there": (Code.USER_EXISTS, _of(making.register_user(GROUND.ada, "new@example.org"))),
    "e-mail of another": (
        Code.EMAIL_TAKEN,
        _of(commands.ChangeEmail(user_id=GROUND.bob, email="ada@example.org")),
    ),
    "user erased": (Code.USER_ERASED, _of(making.register_user(GROUND.erased, "new@example.org"))),
    "user with squads": (Code.USER_OWNS_SQUADS, _of(commands.DeleteUser(user_id=GROUND.ada))),
    "user inactive already": (
        Code.CANNOT_DEACTIVATE_DEACTIVATED_USER,
        _of(commands.DeactivateUser(user_id=GROUND.inactive)),
    ),
    "user active already": (Code.CANNOT_REACTIVATE_ACTIVE_USER, _of(commands.ReactivateUser(user_id=GROUND.ada))),
    "name as it is": (Code.SAME_NAME, _of(commands.RenameUser(user_id=GROUND.ada, name="Ada"))),
    "tier as it is": (
        Code.SAME_PLAN_TIER,
        _of(commands.ChangePlanTier(user_id=GROUND.ada, plan_tier=PlanTier.FREE)),
    ),
    "e-mail as it is": (Code.SAME_EMAIL, _of(commands.ChangeEmail(user_id=GROUND.ada, email="ada@example.org"))),
    "e-mail that it is not": (
        Code.OTHER_EMAIL,
        _of(commands.VerifyEmail(user_id=GROUND.ada, email="old@example.org")),
    ),
    "e-mail verified": (
        Code.CANNOT_VERIFY_VERIFIED_EMAIL,
        _of(commands.VerifyEmail(user_id=GROUND.ada, email="ada@example.org")),
    ),
    "feedback there": (
        Code.FEEDBACK_EXISTS,
        _of(commands.SubmitFeedback(squad_id=GROUND.squad, feedback_id=GROUND.feedback, rating=5)),
    ),
    "no feedback": (Code.FEEDBACK_NOT_FOUND, _of(_withdraw(GROUND.missing))),
    "feedback withdrawn already": (Code.CANNOT_WITHDRAW_WITHDRAWN_FEEDBACK, _of(_withdraw(GROUND.withdrawn))),
    "usage beyond counting": (
        Code.USAGE_TOO_HIGH,
        _of(commands.RecordUsage(squad_id=GROUND.elsewhere, metric="tokens", month=MONTH)),
    ),
    "limit as it is": (
        Code.SAME_LIMIT,
        _of(commands.SetUsageLimit(squad_id=GROUND.elsewhere, metric="tokens", month=MONTH)),
    ),
    "squad of nobody": (Code.USER_NOT_FOUND, _of(making.create_squad(GROUND.missing, numbered(701)))),
    "transfer to nobody": (Code.USER_NOT_FOUND, _of(making.transfer(GROUND.elsewhere, GROUND.missing))),
    "squad of an inactive user": (Code.USER_INACTIVE, _of(making.create_squad(GROUND.inactive, numbered(701)))),
    "transfer to an inactive user": (Code.USER_INACTIVE, _of(making.transfer(GROUND.elsewhere, GROUND.inactive))),
    "squad there for whoever comes": (
        Code.SQUAD_EXISTS,
        _of(making.onboard(numbered(705), "next@example.org", GROUND.squad, squad_optional=False)),
    ),
    "e-mail taken by whoever comes": (
        Code.EMAIL_TAKEN,
        _of(making.onboard(numbered(705), "ada@example.org", numbered(706), squad_optional=True)),
    ),
    "squad there": (Code.SQUAD_EXISTS, _of(making.create_squad(GROUND.ada, GROUND.squad))),
    "transfer of no squad": (Code.SQUAD_NOT_FOUND, _of(making.transfer(GROUND.missing, GROUND.ada))),
    "transfer to its owner": (Code.SAME_OWNER, _of(making.transfer(GROUND.elsewhere, GROUND.bob))),
    "project there": (Code.PROJECT_EXISTS, _of(making.create_project(GROUND.squad, GROUND.project))),
    "project there, elsewhere": (Code.PROJECT_EXISTS, _of(making.create_project(GROUND.squad, GROUND.foreign_project))),
    "squad disbanded": (
        Code.SQUAD_DISBANDED,
        _of(making.create_project(GROUND.disbanded, numbered(702))),
    ),
    "squad disbanded already": (
        Code.CANNOT_DISBAND_DISBANDED_SQUAD,
        _of(commands.DisbandSquad(squad_id=GROUND.disbanded)),
    ),
    "squad with open tasks": (Code.SQUAD_HAS_OPEN_TASKS, _of(commands.DisbandSquad(squad_id=GROUND.elsewhere))),
    "description as it is": (Code.SAME_DESCRIPTION, _of(commands.DescribeSquad(squad_id=GROUND.elsewhere))),
    "no member": (Code.MEMBER_NOT_FOUND, _of(_role(GROUND.missing, "tester"))),
    "another squad's member": (
        Code.MEMBER_NOT_FOUND,
        _of(commands.UnseatUser(squad_id=GROUND.squad, member_id=GROUND.taken_seat)),
    ),
    "member removed": (Code.MEMBER_REMOVED, _of(_role(GROUND.removed, "tester"))),
    "member removed already": (
        Code.CANNOT_REMOVE_REMOVED_MEMBER,
        _of(commands.RemoveMember(squad_id=GROUND.elsewhere, member_id=GROUND.removed)),
    ),
    "role as it is": (Code.SAME_ROLE, _of(_role(GROUND.free_seat, "developer"))),
    "seat taken": (
        Code.SEAT_TAKEN,
        _of(commands.SeatUser(squad_id=GROUND.elsewhere, member_id=GROUND.taken_seat, user_id=GROUND.ada)),
    ),
    "seat empty": (
        Code.SEAT_EMPTY,
        _of(commands.UnseatUser(squad_id=GROUND.elsewhere, member_id=GROUND.free_seat)),
    ),
    "project with open tasks": (
        Code.PROJECT_HAS_OPEN_TASKS,
        _of(commands.ArchiveProject(squad_id=GROUND.elsewhere, project_id=GROUND.foreign_project)),
    ),
    "project archived": (
        Code.CANNOT_ARCHIVE_ARCHIVED_PROJECT,
        _of(commands.ArchiveProject(squad_id=GROUND.squad, project_id=GROUND.archived)),
    ),
    "project not archived": (
        Code.CANNOT_REOPEN_ACTIVE_PROJECT,
        _of(commands.ReopenProject(squad_id=GROUND.squad, project_id=GROUND.project)),
    ),
    "assignee as it is": (
        Code.SAME_ASSIGNEE,
        _of(commands.AssignTask(squad_id=GROUND.elsewhere, task_id=GROUND.pending)),
    ),
    "priority as it is": (
        Code.SAME_PRIORITY,
        _of(commands.ChangeTaskPriority(squad_id=GROUND.elsewhere, task_id=GROUND.pending, priority=Priority.NORMAL)),
    ),
    "task started": (Code.CANNOT_START_IN_PROGRESS_TASK, _of(_start(GROUND.started))),
    "start of a completed task": (Code.CANNOT_START_COMPLETED_TASK, _of(_start(GROUND.completed))),
    "start of a cancelled task": (Code.CANNOT_START_CANCELLED_TASK, _of(_start(GROUND.cancelled))),
    "cancelling of a completed task": (Code.CANNOT_CANCEL_COMPLETED_TASK, _of(_cancel(GROUND.completed))),
    "cancelling of a cancelled task": (Code.CANNOT_CANCEL_CANCELLED_TASK, _of(_cancel(GROUND.cancelled))),
    "task never ended": (Code.CANNOT_REOPEN_PENDING_TASK, _of(_reopen(GROUND.pending))),
    "task still open": (Code.CANNOT_REOPEN_IN_PROGRESS_TASK, _of(_reopen(GROUND.started))),
    "task there, among new ones": (
        Code.TASK_EXISTS,
        _of(
            commands.CreateTasks(
                squad_id=GROUND.squad,
                project_id=GROUND.project,
                tasks=(
                    commands.NewTask(task_id=numbered(704), title="New"),
                    commands.NewTask(task_id=GROUND.pending, title="There"),
                ),
            )
        ),
    ),
    "task of no project": (Code.PROJECT_NOT_FOUND, _of(making.create_task(GROUND.squad, GROUND.missing))),
    "sweep of another squad's project": (
        Code.PROJECT_NOT_FOUND,
        _of(making.complete_project_tasks(GROUND.squad, GROUND.foreign_project)),
    ),
    "task of an archived project": (Code.PROJECT_ARCHIVED, _of(making.create_task(GROUND.squad, GROUND.archived))),
    "task there": (Code.TASK_EXISTS, _of(making.create_task(GROUND.squad, GROUND.project, GROUND.open_task))),
    "no task": (Code.TASK_NOT_FOUND, _of(making.complete_task(GROUND.squad, GROUND.missing))),
    "another squad's task": (Code.TASK_NOT_FOUND, _of(making.complete_task(GROUND.elsewhere, GROUND.open_task))),
    "a cancelled task done": (
        Code.CANNOT_COMPLETE_CANCELLED_TASK,
        _of(making.complete_task(GROUND.elsewhere, GROUND.cancelled)),
    ),
    "change of a task done": (
        Code.TASK_NOT_OPEN,
        _of(commands.AssignTask(squad_id=GROUND.squad, task_id=GROUND.done_task)),
    ),
    "task done": (Code.CANNOT_COMPLETE_COMPLETED_TASK, _of(making.complete_task(GROUND.squad, GROUND.done_task))),
    "another version": (
        Code.VERSION_MISMATCH,
        _of(making.create_project(GROUND.squad, numbered(702)), expectedversion="100000"),
    ),
    "sweep of another version": (
        Code.VERSION_MISMATCH,
        _of(making.complete_project_tasks(GROUND.squad, GROUND.project), expectedversion="0"),
    ),
    "expired": (Code.EXPIRED, _of(USER, expirytime="2026-05-04T11:59:59Z")),
    "expired, structured": (
        Code.EXPIRED,
        lambda command_id: structured(USER, command_id=command_id, expirytime="2026-05-04T11:59:59Z"),
    ),
}
"""What a rule refuses, by a few words."""

REPEATED: Final[Mapping[str, Build]] = {
    "decided before": lambda _: record(GROUND.command_of_known(), command_id=GROUND.known),
    "decided before, structured": lambda _: structured(GROUND.command_of_known(), command_id=GROUND.known),
}

KINDS: Final[Mapping[str, tuple[str, Build]]] = {
    **{name: (f"dead letter: {reason}", build) for name, (reason, build) in REFUSED.items()},
    **{
        name: ("expired" if code is Code.EXPIRED else f"rejected: {code}", build)
        for name, (code, build) in REJECTED.items()
    },
    **{name: ("duplicate", build) for name, build in REPEATED.items()},
}
"""Every kind of record that changes nothing: as what it is counted, and how it is made."""

UNTRIED: Final[frozenset[Code | Reason]] = frozenset({Reason.UNFETCHABLE, Reason.UNEXPECTED})
"""Codes and reasons that no bad command here is refused with: nothing of them is to be seen in a record."""


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


def strewn_with_bad(good: Iterator[Command], number: int, *, seed: int) -> list[FakeRecord]:
    """Give commands in order, bad ones of every kind strewn among them, and repeats of earlier ones, bad ones too.

    Some of the bad ones have an id that one before them had.
    """
    chance = random.Random(seed)
    builds = [build for _, build in KINDS.values()]
    chance.shuffle(builds)
    bad = cycle(builds)
    given: list[FakeRecord] = []
    for place in range(number):
        kind = chance.random()
        if kind < 0.26:
            given.append(next(bad)(f"bad-{place}"))
        elif kind < 0.31 and given:
            again = chance.choice(given)
            given.append(FakeRecord(key=again.key, value=again.value, headers=again.headers))
        elif kind < 0.34 and given:
            given.append(record(USER, command_id=f"good-{chance.randrange(place)}"))
        else:
            given.append(record(next(good), command_id=f"good-{place}"))
    return given
