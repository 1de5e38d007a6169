"""Commands that a rule refuses on the ground of `tests.ground`, one of every kind."""

from collections.abc import Mapping
from typing import Final

from domain import commands
from domain.commands import Command
from domain.rejections import Code
from domain.values import PlanTier, Priority
from tests import making
from tests.bad_records import USER, Build, of
from tests.ground import GROUND, MONTH, numbered
from tests.making import structured


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


REJECTED: Final[Mapping[str, tuple[Code, Build]]] = {
    "e-mail taken": (Code.EMAIL_TAKEN, of(making.register_user(numbered(703), "ADA@example.org"))),
    "user there": (Code.USER_EXISTS, of(making.register_user(GROUND.ada, "new@example.org"))),
    "e-mail of another": (
        Code.EMAIL_TAKEN,
        of(commands.ChangeEmail(user_id=GROUND.bob, email="ada@example.org")),
    ),
    "user erased": (Code.USER_ERASED, of(making.register_user(GROUND.erased, "new@example.org"))),
    "user with squads": (Code.USER_OWNS_SQUADS, of(commands.DeleteUser(user_id=GROUND.ada))),
    "user inactive already": (
        Code.CANNOT_DEACTIVATE_DEACTIVATED_USER,
        of(commands.DeactivateUser(user_id=GROUND.inactive)),
    ),
    "user active already": (Code.CANNOT_REACTIVATE_ACTIVE_USER, of(commands.ReactivateUser(user_id=GROUND.ada))),
    "name as it is": (Code.SAME_NAME, of(commands.RenameUser(user_id=GROUND.ada, name="Ada"))),
    "tier as it is": (
        Code.SAME_PLAN_TIER,
        of(commands.ChangePlanTier(user_id=GROUND.ada, plan_tier=PlanTier.FREE)),
    ),
    "e-mail as it is": (Code.SAME_EMAIL, of(commands.ChangeEmail(user_id=GROUND.ada, email="ada@example.org"))),
    "e-mail that it is not": (
        Code.OTHER_EMAIL,
        of(commands.VerifyEmail(user_id=GROUND.ada, email="old@example.org")),
    ),
    "e-mail verified": (
        Code.CANNOT_VERIFY_VERIFIED_EMAIL,
        of(commands.VerifyEmail(user_id=GROUND.ada, email="ada@example.org")),
    ),
    "feedback there": (
        Code.FEEDBACK_EXISTS,
        of(commands.SubmitFeedback(squad_id=GROUND.squad, feedback_id=GROUND.feedback, rating=5)),
    ),
    "no feedback": (Code.FEEDBACK_NOT_FOUND, of(_withdraw(GROUND.missing))),
    "feedback withdrawn already": (Code.CANNOT_WITHDRAW_WITHDRAWN_FEEDBACK, of(_withdraw(GROUND.withdrawn))),
    "usage beyond counting": (
        Code.USAGE_TOO_HIGH,
        of(commands.RecordUsage(squad_id=GROUND.elsewhere, metric="tokens", month=MONTH)),
    ),
    "limit as it is": (
        Code.SAME_LIMIT,
        of(commands.SetUsageLimit(squad_id=GROUND.elsewhere, metric="tokens", month=MONTH)),
    ),
    "squad of nobody": (Code.USER_NOT_FOUND, of(making.create_squad(GROUND.missing, numbered(701)))),
    "transfer to nobody": (Code.USER_NOT_FOUND, of(making.transfer(GROUND.elsewhere, GROUND.missing))),
    "squad of an inactive user": (Code.USER_INACTIVE, of(making.create_squad(GROUND.inactive, numbered(701)))),
    "transfer to an inactive user": (Code.USER_INACTIVE, of(making.transfer(GROUND.elsewhere, GROUND.inactive))),
    "squad there for whoever comes": (
        Code.SQUAD_EXISTS,
        of(making.onboard(numbered(705), "next@example.org", GROUND.squad, squad_optional=False)),
    ),
    "e-mail taken by whoever comes": (
        Code.EMAIL_TAKEN,
        of(making.onboard(numbered(705), "ada@example.org", numbered(706), squad_optional=True)),
    ),
    "squad there": (Code.SQUAD_EXISTS, of(making.create_squad(GROUND.ada, GROUND.squad))),
    "transfer of no squad": (Code.SQUAD_NOT_FOUND, of(making.transfer(GROUND.missing, GROUND.ada))),
    "transfer to its owner": (Code.SAME_OWNER, of(making.transfer(GROUND.elsewhere, GROUND.bob))),
    "project there": (Code.PROJECT_EXISTS, of(making.create_project(GROUND.squad, GROUND.project))),
    "project there, elsewhere": (Code.PROJECT_EXISTS, of(making.create_project(GROUND.squad, GROUND.foreign_project))),
    "squad disbanded": (
        Code.SQUAD_DISBANDED,
        of(making.create_project(GROUND.disbanded, numbered(702))),
    ),
    "squad disbanded already": (
        Code.CANNOT_DISBAND_DISBANDED_SQUAD,
        of(commands.DisbandSquad(squad_id=GROUND.disbanded)),
    ),
    "squad with open tasks": (Code.SQUAD_HAS_OPEN_TASKS, of(commands.DisbandSquad(squad_id=GROUND.elsewhere))),
    "description as it is": (Code.SAME_DESCRIPTION, of(commands.DescribeSquad(squad_id=GROUND.elsewhere))),
    "no member": (Code.MEMBER_NOT_FOUND, of(_role(GROUND.missing, "tester"))),
    "another squad's member": (
        Code.MEMBER_NOT_FOUND,
        of(commands.UnseatUser(squad_id=GROUND.squad, member_id=GROUND.taken_seat)),
    ),
    "member removed": (Code.MEMBER_REMOVED, of(_role(GROUND.removed, "tester"))),
    "member removed already": (
        Code.CANNOT_REMOVE_REMOVED_MEMBER,
        of(commands.RemoveMember(squad_id=GROUND.elsewhere, member_id=GROUND.removed)),
    ),
    "role as it is": (Code.SAME_ROLE, of(_role(GROUND.free_seat, "developer"))),
    "seat taken": (
        Code.SEAT_TAKEN,
        of(commands.SeatUser(squad_id=GROUND.elsewhere, member_id=GROUND.taken_seat, user_id=GROUND.ada)),
    ),
    "seat empty": (
        Code.SEAT_EMPTY,
        of(commands.UnseatUser(squad_id=GROUND.elsewhere, member_id=GROUND.free_seat)),
    ),
    "project with open tasks": (
        Code.PROJECT_HAS_OPEN_TASKS,
        of(commands.ArchiveProject(squad_id=GROUND.elsewhere, project_id=GROUND.foreign_project)),
    ),
    "project archived": (
        Code.CANNOT_ARCHIVE_ARCHIVED_PROJECT,
        of(commands.ArchiveProject(squad_id=GROUND.squad, project_id=GROUND.archived)),
    ),
    "project not archived": (
        Code.CANNOT_REOPEN_ACTIVE_PROJECT,
        of(commands.ReopenProject(squad_id=GROUND.squad, project_id=GROUND.project)),
    ),
    "assignee as it is": (
        Code.SAME_ASSIGNEE,
        of(commands.AssignTask(squad_id=GROUND.elsewhere, task_id=GROUND.pending)),
    ),
    "priority as it is": (
        Code.SAME_PRIORITY,
        of(commands.ChangeTaskPriority(squad_id=GROUND.elsewhere, task_id=GROUND.pending, priority=Priority.NORMAL)),
    ),
    "task started": (Code.CANNOT_START_IN_PROGRESS_TASK, of(_start(GROUND.started))),
    "start of a completed task": (Code.CANNOT_START_COMPLETED_TASK, of(_start(GROUND.completed))),
    "start of a cancelled task": (Code.CANNOT_START_CANCELLED_TASK, of(_start(GROUND.cancelled))),
    "cancelling of a completed task": (Code.CANNOT_CANCEL_COMPLETED_TASK, of(_cancel(GROUND.completed))),
    "cancelling of a cancelled task": (Code.CANNOT_CANCEL_CANCELLED_TASK, of(_cancel(GROUND.cancelled))),
    "task never ended": (Code.CANNOT_REOPEN_PENDING_TASK, of(_reopen(GROUND.pending))),
    "task still open": (Code.CANNOT_REOPEN_IN_PROGRESS_TASK, of(_reopen(GROUND.started))),
    "task there, among new ones": (
        Code.TASK_EXISTS,
        of(
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
    "task of no project": (Code.PROJECT_NOT_FOUND, of(making.create_task(GROUND.squad, GROUND.missing))),
    "sweep of another squad's project": (
        Code.PROJECT_NOT_FOUND,
        of(making.complete_project_tasks(GROUND.squad, GROUND.foreign_project)),
    ),
    "task of an archived project": (Code.PROJECT_ARCHIVED, of(making.create_task(GROUND.squad, GROUND.archived))),
    "task there": (Code.TASK_EXISTS, of(making.create_task(GROUND.squad, GROUND.project, GROUND.open_task))),
    "no task": (Code.TASK_NOT_FOUND, of(making.complete_task(GROUND.squad, GROUND.missing))),
    "another squad's task": (Code.TASK_NOT_FOUND, of(making.complete_task(GROUND.elsewhere, GROUND.open_task))),
    "a cancelled task done": (
        Code.CANNOT_COMPLETE_CANCELLED_TASK,
        of(making.complete_task(GROUND.elsewhere, GROUND.cancelled)),
    ),
    "change of a task done": (
        Code.TASK_NOT_OPEN,
        of(commands.AssignTask(squad_id=GROUND.squad, task_id=GROUND.done_task)),
    ),
    "task done": (Code.CANNOT_COMPLETE_COMPLETED_TASK, of(making.complete_task(GROUND.squad, GROUND.done_task))),
    "another version": (
        Code.VERSION_MISMATCH,
        of(making.create_project(GROUND.squad, numbered(702)), expectedversion="100000"),
    ),
    "sweep of another version": (
        Code.VERSION_MISMATCH,
        of(making.complete_project_tasks(GROUND.squad, GROUND.project), expectedversion="0"),
    ),
    "expired": (Code.EXPIRED, of(USER, expirytime="2026-05-04T11:59:59Z")),
    "expired, structured": (
        Code.EXPIRED,
        lambda command_id: structured(USER, command_id=command_id, expirytime="2026-05-04T11:59:59Z"),
    ),
}
"""What a rule refuses, by a few words."""
