"""The rules of a squad's tasks."""

import pytest

from domain.events import ProjectTasksCompleted, TaskCompleted, TaskCreated
from domain.rejections import Code
from domain.sweeps import CompleteOpenTasks, Swept
from domain.values import Priority, TaskStatus
from tests import making
from tests.making import NOON, new_id
from tests.unit.domain.deciding import GIVEN, decide, refused, sweep_rule


def test_task_is_created_pending_and_completed_once(world):
    state, _, squad_id = world
    project_id, task_id = new_id(), new_id()
    decide(state, making.create_project(squad_id, project_id))

    [created] = decide(state, making.create_task(squad_id, project_id, task_id))
    assert created == TaskCreated(
        squad_id=squad_id, project_id=project_id, task_id=task_id, title="Task", priority=Priority.NORMAL
    )
    assert state.tasks[task_id].status is TaskStatus.PENDING

    [completed] = decide(state, making.complete_task(squad_id, task_id))
    assert completed == TaskCompleted(squad_id=squad_id, project_id=project_id, task_id=task_id, completed_at=NOON)
    assert (state.tasks[task_id].status, state.tasks[task_id].completed_at) == (TaskStatus.COMPLETED, NOON)

    assert refused(state, making.complete_task(squad_id, task_id)) is Code.TASK_NOT_OPEN


@pytest.mark.parametrize(
    ("status", "may_complete"),
    [
        (TaskStatus.PENDING, True),
        (TaskStatus.IN_PROGRESS, True),
        (TaskStatus.COMPLETED, False),
        (TaskStatus.CANCELLED, False),
    ],
)
def test_only_an_open_task_is_completed(world, status, may_complete):
    state, _, squad_id = world
    project_id, task_id = new_id(), new_id()
    decide(state, making.create_project(squad_id, project_id))
    decide(state, making.create_task(squad_id, project_id, task_id))
    state.tasks[task_id].status = status

    if may_complete:
        assert decide(state, making.complete_task(squad_id, task_id))
    else:
        assert refused(state, making.complete_task(squad_id, task_id)) is Code.TASK_NOT_OPEN


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

    [event] = sweep_rule(command).tell(command, GIVEN, Swept(count=count, ids=ids))

    assert event == ProjectTasksCompleted(
        squad_id=command.squad_id, project_id=command.project_id, count=count, completed_at=NOON, task_ids=ids
    )


def test_a_sweep_that_found_nothing_causes_no_event():
    command = making.complete_project_tasks(new_id(), new_id())

    assert sweep_rule(command).tell(command, GIVEN, Swept(count=0, ids=())) == []
