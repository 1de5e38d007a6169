"""The rules of a squad's tasks."""

from dataclasses import replace

from domain import commands
from domain.events import (
    MAX_TASKS_TOLD,
    CreatedTask,
    TaskAssigned,
    TaskCompleted,
    TaskCreated,
    TaskPriorityChanged,
    TasksCreated,
)
from domain.rejections import Code
from domain.values import Priority, ProjectStatus, TaskStatus
from messages.registry import EVENTS
from tests import making
from tests.making import NOON, new_id
from tests.unit.domain.deciding import decide, refused


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

    assert refused(state, making.complete_task(squad_id, task_id)) is Code.CANNOT_COMPLETE_COMPLETED_TASK


def test_many_tasks_are_made_by_one_command_and_told_by_few_events(task):
    state, squad_id, project_id, _ = task
    tasks = tuple(commands.NewTask(task_id=new_id(), title=f"T{number}") for number in range(1_000))

    decided = decide(state, commands.CreateTasks(squad_id=squad_id, project_id=project_id, tasks=tasks))

    events = [event for event in decided if isinstance(event, TasksCreated)]
    assert [len(event.tasks) for event in events] == [MAX_TASKS_TOLD, MAX_TASKS_TOLD]
    assert len(events) == len(decided)
    told = [each for event in events for each in event.tasks]
    assert [(each.task_id, each.title, each.priority) for each in told] == [
        (each.task_id, each.title, "normal") for each in tasks
    ]
    assert all(state.tasks[each.task_id].title == each.title for each in tasks)


def test_of_many_tasks_one_that_is_known_or_comes_twice_refuses_all(task):
    state, squad_id, project_id, known = task
    fresh, other = (commands.NewTask(task_id=new_id(), title="T") for _ in range(2))

    for tasks in ((fresh, replace(other, task_id=known)), (fresh, other, fresh)):
        create = commands.CreateTasks(squad_id=squad_id, project_id=project_id, tasks=tasks)
        assert refused(state, create) is Code.TASK_EXISTS
    state.projects[project_id].status = ProjectStatus.ARCHIVED
    create = commands.CreateTasks(squad_id=squad_id, project_id=project_id, tasks=(fresh,))
    assert refused(state, create) is Code.PROJECT_ARCHIVED


def test_largest_event_of_many_tasks_stays_below_what_kafka_takes():
    title = "\x01" * 200
    tasks = tuple(CreatedTask(task_id=new_id(), title=title, priority=Priority.NORMAL) for _ in range(MAX_TASKS_TOLD))
    event = TasksCreated(squad_id=new_id(), project_id=new_id(), tasks=tasks)

    assert len(EVENTS[TasksCreated].encode(event)) < 700_000


def test_open_task_is_given_to_a_member_and_to_nobody(task):
    state, squad_id, project_id, task_id = task
    [member_id] = state.members
    assign = commands.AssignTask(squad_id=squad_id, task_id=task_id, member_id=member_id)

    [event] = decide(state, assign)
    assert event == TaskAssigned(squad_id=squad_id, project_id=project_id, task_id=task_id, member_id=member_id)
    assert state.tasks[task_id].assignee_id == member_id
    assert refused(state, assign) is Code.SAME_ASSIGNEE

    [event] = decide(state, replace(assign, member_id=None))
    assert event == TaskAssigned(squad_id=squad_id, project_id=project_id, task_id=task_id)
    assert state.tasks[task_id].assignee_id is None
    assert refused(state, replace(assign, member_id=None)) is Code.SAME_ASSIGNEE

    assert refused(state, replace(assign, member_id=new_id())) is Code.MEMBER_NOT_FOUND
    state.members[member_id].removed_at = NOON
    assert refused(state, assign) is Code.MEMBER_REMOVED


def test_open_task_gets_another_priority(task):
    state, squad_id, project_id, task_id = task
    change = commands.ChangeTaskPriority(squad_id=squad_id, task_id=task_id, priority=Priority.URGENT)

    [event] = decide(state, change)

    assert event == TaskPriorityChanged(
        squad_id=squad_id, project_id=project_id, task_id=task_id, priority=Priority.URGENT
    )
    assert state.tasks[task_id].priority == "urgent"
    assert refused(state, change) is Code.SAME_PRIORITY


def test_closed_task_is_neither_assigned_nor_more_or_less_urgent(task):
    state, squad_id, _, task_id = task
    state.tasks[task_id].status = TaskStatus.CANCELLED

    assert refused(state, commands.AssignTask(squad_id=squad_id, task_id=task_id)) is Code.TASK_NOT_OPEN
    change = commands.ChangeTaskPriority(squad_id=squad_id, task_id=task_id, priority=Priority.LOW)
    assert refused(state, change) is Code.TASK_NOT_OPEN


def test_every_command_on_a_task_finds_it_in_its_squad_only(world, task):
    state, squad_id, _, task_id = task
    decide(state, making.create_squad(world[1], other := new_id()))

    for squad, wanted in ((other, task_id), (squad_id, new_id())):
        for command in (
            commands.AssignTask(squad_id=squad, task_id=wanted),
            commands.ChangeTaskPriority(squad_id=squad, task_id=wanted, priority=Priority.LOW),
            commands.StartTask(squad_id=squad, task_id=wanted),
            commands.CompleteTask(squad_id=squad, task_id=wanted),
            commands.CancelTask(squad_id=squad, task_id=wanted),
        ):
            assert refused(state, command) is Code.TASK_NOT_FOUND
