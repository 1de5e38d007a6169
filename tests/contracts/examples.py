"""One message of each type, whose encoded form is golden."""

from typing import Any

from domain import commands, events
from domain.values import PlanTier, Priority
from messages.outcome import CommandOutcome, Outcome
from tests.making import NOON

USER = "0191d5a0-0000-7000-8000-000000000001"
OTHER = "0191d5a0-0000-7000-8000-000000000002"
SQUAD = "0191d5a0-0000-7000-8000-000000000003"
PROJECT = "0191d5a0-0000-7000-8000-000000000004"
TASK = "0191d5a0-0000-7000-8000-000000000005"
MEMBER = "0191d5a0-0000-7000-8000-000000000006"

EXAMPLES: dict[str, Any] = {
    "user.register.v1": commands.RegisterUser(user_id=USER, email="Ada@Example.org", name="Ada"),
    "squad.create.v1": commands.CreateSquad(
        squad_id=SQUAD, user_id=USER, name="Red", description="The first", roles=("developer", "tester")
    ),
    "squad.transfer-ownership.v1": commands.TransferSquadOwnership(squad_id=SQUAD, new_owner_id=OTHER),
    "squad.create-project.v1": commands.CreateProject(squad_id=SQUAD, project_id=PROJECT, name="Launch"),
    "squad.create-task.v1": commands.CreateTask(
        squad_id=SQUAD, project_id=PROJECT, task_id=TASK, title="Write", priority=Priority.HIGH
    ),
    "squad.complete-task.v1": commands.CompleteTask(squad_id=SQUAD, task_id=TASK),
    "squad.complete-project-tasks.v1": commands.CompleteProjectTasks(squad_id=SQUAD, project_id=PROJECT),
    "user.registered.v1": events.UserRegistered(user_id=USER, plan_tier=PlanTier.FREE, registered_at=NOON),
    "squad.created.v1": events.SquadCreated(
        squad_id=SQUAD,
        user_id=USER,
        name="Red",
        members=(events.NewMember(member_id=MEMBER, role="developer"),),
        created_at=NOON,
    ),
    "squad.ownership-transferred.v1": events.SquadOwnershipTransferred(
        squad_id=SQUAD, from_user_id=USER, to_user_id=OTHER
    ),
    "squad.project-created.v1": events.ProjectCreated(squad_id=SQUAD, project_id=PROJECT, name="Launch"),
    "squad.task-created.v1": events.TaskCreated(
        squad_id=SQUAD, project_id=PROJECT, task_id=TASK, title="Write", priority=Priority.HIGH
    ),
    "squad.task-completed.v1": events.TaskCompleted(
        squad_id=SQUAD, project_id=PROJECT, task_id=TASK, completed_at=NOON
    ),
    "squad.project-tasks-completed.v1": events.ProjectTasksCompleted(
        squad_id=SQUAD, project_id=PROJECT, count=1, completed_at=NOON, task_ids=(TASK,)
    ),
    "squad.command-outcome.v1": CommandOutcome(
        source="/tests",
        id="1",
        type="squad.create.v1",
        outcome=Outcome.REJECTED,
        code="user-not-found",
        detail=f"User {USER} not found",
        retryable=True,
    ),
}
