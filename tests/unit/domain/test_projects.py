"""The rules of a squad's projects."""

from domain.rejections import Code
from domain.state import Project
from domain.values import ProjectStatus
from tests import making
from tests.making import NOON, new_id
from tests.unit.domain.deciding import decide, refused


def test_project_and_task_of_another_squad_are_not_found(world):
    state, user_id, squad_id = world
    other, project_id, task_id = new_id(), new_id(), new_id()
    decide(state, making.create_squad(user_id, other))
    decide(state, making.create_project(squad_id, project_id))
    decide(state, making.create_task(squad_id, project_id, task_id))

    assert refused(state, making.create_task(other, project_id)) is Code.PROJECT_NOT_FOUND
    assert refused(state, making.complete_task(other, task_id)) is Code.TASK_NOT_FOUND
    assert refused(state, making.create_project(other, project_id)) is Code.PROJECT_EXISTS
    assert refused(state, making.create_project(new_id())) is Code.SQUAD_NOT_FOUND
    assert refused(state, making.create_task(squad_id, project_id, task_id)) is Code.TASK_EXISTS


def test_archived_project_takes_no_tasks(world):
    state, _, squad_id = world
    project_id = new_id()
    state.projects[project_id] = Project(project_id, squad_id, "Old", ProjectStatus.ARCHIVED, NOON)

    assert refused(state, making.create_task(squad_id, project_id)) is Code.PROJECT_ARCHIVED
