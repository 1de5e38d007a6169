"""The rules of a squad's projects."""

import pytest

from domain import commands
from domain.events import ProjectArchived, ProjectRenamed, ProjectReopened
from domain.rejections import Code
from domain.state import Project, State
from domain.sweeps import CancelOpenTasksOfProject, CountOpenTasksOfProject, Swept
from domain.values import ProjectStatus
from tests import making
from tests.making import NOON, new_id
from tests.unit.domain.deciding import GIVEN, decide, refused, sweep_rule


@pytest.fixture
def project(world) -> tuple[State, str, str]:
    """A state with an active user's squad, which has one active project."""
    state, _, squad_id = world
    decide(state, making.create_project(squad_id, project_id := new_id()))
    return state, squad_id, project_id


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


def test_project_is_renamed_even_when_archived(project):
    state, squad_id, project_id = project
    rename = commands.RenameProject(squad_id=squad_id, project_id=project_id, name="Landing")
    state.projects[project_id].status = ProjectStatus.ARCHIVED

    [event] = decide(state, rename)

    assert event == ProjectRenamed(squad_id=squad_id, project_id=project_id, name="Landing")
    assert state.projects[project_id].name == "Landing"
    assert refused(state, rename) is Code.SAME_NAME


@pytest.mark.parametrize(
    ("cancel", "sweep"), [(True, CancelOpenTasksOfProject), (False, CountOpenTasksOfProject)], ids=["cancel", "refuse"]
)
def test_project_is_archived_once_and_reopened_once(project, cancel, sweep):
    state, squad_id, project_id = project
    archive = commands.ArchiveProject(squad_id=squad_id, project_id=project_id, cancel_open_tasks=cancel)
    reopen = commands.ReopenProject(squad_id=squad_id, project_id=project_id)

    assert refused(state, reopen) is Code.CANNOT_REOPEN_ACTIVE_PROJECT
    assert sweep_rule(archive).sweep(state, archive, GIVEN) == sweep(project_id=project_id)
    assert state.projects[project_id].status == "active"
    [archived] = sweep_rule(archive).tell(state, archive, GIVEN, Swept(count=0, ids=()))
    assert archived == ProjectArchived(
        squad_id=squad_id, project_id=project_id, cancelled_count=0, cancelled_task_ids=()
    )
    assert state.projects[project_id].status == "archived"

    assert refused(state, archive) is Code.CANNOT_ARCHIVE_ARCHIVED_PROJECT
    [reopened] = decide(state, reopen)
    assert reopened == ProjectReopened(squad_id=squad_id, project_id=project_id)
    assert state.projects[project_id].status == "active"


def test_open_tasks_keep_a_project_unless_they_are_cancelled(project):
    state, squad_id, project_id = project
    archive = commands.ArchiveProject(squad_id=squad_id, project_id=project_id)
    found = Swept(count=1, ids=(task_id := new_id(),))

    assert refused(state, archive, found) is Code.PROJECT_HAS_OPEN_TASKS
    archive = commands.ArchiveProject(squad_id=squad_id, project_id=project_id, cancel_open_tasks=True)
    [event] = sweep_rule(archive).tell(state, archive, GIVEN, found)

    assert event == ProjectArchived(
        squad_id=squad_id, project_id=project_id, cancelled_count=1, cancelled_task_ids=(task_id,)
    )


def test_every_command_on_a_project_finds_it_in_its_squad_only(world, project):
    state, squad_id, project_id = project
    decide(state, making.create_squad(world[1], other := new_id()))

    for squad, wanted in ((other, project_id), (squad_id, new_id())):
        for command in (
            commands.RenameProject(squad_id=squad, project_id=wanted, name="Landing"),
            commands.ArchiveProject(squad_id=squad, project_id=wanted),
            commands.ReopenProject(squad_id=squad, project_id=wanted),
            commands.ReopenTask(squad_id=squad, project_id=wanted, task_id=new_id()),
            commands.CreateTasks(
                squad_id=squad, project_id=wanted, tasks=(commands.NewTask(task_id=new_id(), title="T"),)
            ),
        ):
            assert refused(state, command) is Code.PROJECT_NOT_FOUND
