"""The rules of how a squad's tasks proceed."""

from dataclasses import replace

import pytest

from domain import commands
from domain.events import ProjectTasksCompleted, TaskCancelled, TaskCompleted, TaskReopened, TaskStarted
from domain.rejections import Code, Rejected
from domain.state import State
from domain.sweeps import CompleteOpenTasks, Swept
from domain.values import ProjectStatus, TaskStatus
from tests import making
from tests.making import NOON, new_id
from tests.unit.domain.deciding import GIVEN, decide, refused, sweep_rule

ALLOWED = {
    (commands.StartTask, "pending"): "in_progress",
    (commands.CompleteTask, "pending"): "completed",
    (commands.CompleteTask, "in_progress"): "completed",
    (commands.CancelTask, "pending"): "cancelled",
    (commands.CancelTask, "in_progress"): "cancelled",
    (commands.ReopenTask, "completed"): "pending",
    (commands.ReopenTask, "cancelled"): "pending",
}
"""Where each wish leads from each state that allows it; no other does."""

TOLD = {
    commands.StartTask: TaskStarted,
    commands.CompleteTask: TaskCompleted,
    commands.CancelTask: TaskCancelled,
    commands.ReopenTask: TaskReopened,
}


@pytest.mark.parametrize("status", TaskStatus)
@pytest.mark.parametrize("wish", TOLD)
def test_task_proceeds_as_its_table_says_and_no_other_way(task, wish, status):
    state, squad_id, project_id, task_id = task
    found = state.tasks[task_id]
    found.status = status
    found.completed_at = NOON if status is TaskStatus.COMPLETED else None
    of_project = {"project_id": project_id} if wish is commands.ReopenTask else {}
    command = wish(squad_id=squad_id, task_id=task_id, **of_project)

    expected = ALLOWED.get((wish, status))
    if expected is None:
        code = refused(state, command)
        assert status.replace("_", "-") in code
    else:
        [event] = decide(state, command)
        at = {"completed_at": NOON} if expected == "completed" else {}
        assert event == TOLD[wish](squad_id=squad_id, project_id=project_id, task_id=task_id, **at)
        assert found.status == expected
        assert (found.completed_at is not None) == (expected == "completed")


def test_rejection_of_a_transition_names_state_and_wish(task):
    state, squad_id, project_id, task_id = task

    with pytest.raises(Rejected, match="is pending, so it cannot be reopened") as refusal:
        decide(state, commands.ReopenTask(squad_id=squad_id, project_id=project_id, task_id=task_id))
    assert refusal.value.code == "cannot-reopen-pending-task"


def test_task_is_reopened_in_its_own_active_project_and_is_nobodys(task):
    state, squad_id, project_id, task_id = task
    [member_id] = state.members
    decide(state, commands.AssignTask(squad_id=squad_id, task_id=task_id, member_id=member_id))
    decide(state, making.complete_task(squad_id, task_id))
    decide(state, making.create_project(squad_id, other := new_id()))
    reopen = commands.ReopenTask(squad_id=squad_id, project_id=project_id, task_id=task_id)

    assert refused(state, replace(reopen, project_id=other)) is Code.TASK_NOT_FOUND
    state.projects[project_id].status = ProjectStatus.ARCHIVED
    assert refused(state, reopen) is Code.PROJECT_ARCHIVED
    state.projects[project_id].status = ProjectStatus.ACTIVE
    decide(state, reopen)

    assert state.tasks[task_id].assignee_id is None


def test_completing_a_projects_tasks_asks_for_a_sweep_and_changes_nothing_itself(world):
    state, _, squad_id = world
    project_id, task_id = new_id(), new_id()
    decide(state, making.create_project(squad_id, project_id))
    decide(state, making.create_task(squad_id, project_id, task_id))
    command = making.complete_project_tasks(squad_id, project_id)

    sweep = sweep_rule(command).sweep(state, command, GIVEN)

    assert sweep == CompleteOpenTasks(project_id=project_id, completed_at=NOON)
    assert state.tasks[task_id].status == "pending"


def test_a_sweep_of_another_squads_project_is_refused(world):
    state, owner, squad_id = world
    decide(state, making.create_squad(owner, other := new_id()))
    decide(state, making.create_project(other, project_id := new_id()))

    assert refused(state, making.complete_project_tasks(squad_id, project_id)) is Code.PROJECT_NOT_FOUND


@pytest.mark.parametrize(("count", "ids"), [(2, (new_id(), new_id())), (1_001, None)])
def test_a_sweep_is_told_by_one_event(count, ids):
    command = making.complete_project_tasks(new_id(), new_id())

    [event] = sweep_rule(command).tell(State(), command, GIVEN, Swept(count=count, ids=ids))

    assert event == ProjectTasksCompleted(
        squad_id=command.squad_id, project_id=command.project_id, count=count, completed_at=NOON, task_ids=ids
    )


def test_a_sweep_that_found_nothing_causes_no_event():
    command = making.complete_project_tasks(new_id(), new_id())

    assert sweep_rule(command).tell(State(), command, GIVEN, Swept(count=0, ids=())) == []
