"""Carrying out sweeps: one statement each, however many rows it changes or counts."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from db.forms import TASKS
from db.load import load_tasks_again
from domain.state import State, Task
from domain.sweeps import (
    MAX_IDS,
    CancelOpenTasksOfProject,
    CancelOpenTasksOfSquad,
    CompleteOpenTasks,
    CountOpenTasksOfProject,
    CountOpenTasksOfSquad,
    Sweep,
    Swept,
    UnassignOpenTasks,
)
from domain.values import Id, TaskId


def _counted(change: str) -> TextClause:
    """Build the statement that carries out a change which returns `id`, and gives how many and, if not too many, which.

    Args:
        change: an UPDATE with its RETURNING clause, or a SELECT where nothing is to change.
    """
    return text(
        f"""
        WITH changed AS ({change})
        SELECT
            (SELECT count(*) FROM changed),
            ARRAY(SELECT CAST(id AS text) FROM changed ORDER BY id LIMIT {MAX_IDS} + 1)
        """  # noqa: S608 - constants only
    )


COMPLETE_OPEN_TASKS: Final = _counted(
    """
    UPDATE tasks SET status = 'completed', completed_at = :completed_at
    WHERE project_id = CAST(:project_id AS uuid) AND status IN ('pending', 'in_progress')
    RETURNING id
    """
)

CANCEL_OPEN_TASKS_OF_PROJECT: Final = _counted(
    """
    UPDATE tasks SET status = 'cancelled'
    WHERE project_id = CAST(:project_id AS uuid) AND status IN ('pending', 'in_progress')
    RETURNING id
    """
)

COUNT_OPEN_TASKS_OF_PROJECT: Final = _counted(
    "SELECT id FROM tasks WHERE project_id = CAST(:project_id AS uuid) AND status IN ('pending', 'in_progress')"
)

CANCEL_OPEN_TASKS_OF_SQUAD: Final = _counted(
    """
    UPDATE tasks SET status = 'cancelled'
    WHERE squad_id = CAST(:squad_id AS uuid) AND status IN ('pending', 'in_progress')
    RETURNING id
    """
)

COUNT_OPEN_TASKS_OF_SQUAD: Final = _counted(
    "SELECT id FROM tasks WHERE squad_id = CAST(:squad_id AS uuid) AND status IN ('pending', 'in_progress')"
)

UNASSIGN_OPEN_TASKS: Final = _counted(
    """
    UPDATE tasks SET assignee_id = NULL
    WHERE assignee_id = CAST(:member_id AS uuid) AND status IN ('pending', 'in_progress')
    RETURNING id
    """
)

STATEMENTS: Final[Mapping[type[Sweep], TextClause]] = {
    CompleteOpenTasks: COMPLETE_OPEN_TASKS,
    CancelOpenTasksOfProject: CANCEL_OPEN_TASKS_OF_PROJECT,
    CountOpenTasksOfProject: COUNT_OPEN_TASKS_OF_PROJECT,
    CancelOpenTasksOfSquad: CANCEL_OPEN_TASKS_OF_SQUAD,
    CountOpenTasksOfSquad: COUNT_OPEN_TASKS_OF_SQUAD,
    UnassignOpenTasks: UNASSIGN_OPEN_TASKS,
}
"""What carries out which sweep; the parameters are its fields."""

_ASSIGNEE: Final = [column.name for column in TASKS.columns].index("assignee_id")


def is_concerned(sweep: Sweep, state: State) -> bool:
    """Tell whether a sweep has to do with a task that the batch changed or made, and that is not written yet.

    If not, what was decided so far need not be written before it: its rows are as the batch knows them.

    Args:
        sweep: what is to be changed or counted.
        state: the batch's.
    """
    return any(_is_about(sweep, task) and TASKS.values(task) != task.loaded for task in state.tasks.values())


def _is_about(sweep: Sweep, task: Task) -> bool:
    match sweep:
        case CompleteOpenTasks() | CancelOpenTasksOfProject() | CountOpenTasksOfProject():
            return task.project_id == sweep.project_id
        case CancelOpenTasksOfSquad() | CountOpenTasksOfSquad():
            return task.squad_id == sweep.squad_id
        case UnassignOpenTasks():
            # Its row may name the member still, or not yet.
            return sweep.member_id in {task.assignee_id, _stored_assignee(task)}


def _changed(sweep: Sweep, state: State, told: Sequence[Id] | None) -> list[TaskId]:
    """Give those of the batch's tasks that a sweep may have changed; what was decided of others may not be written yet.

    Args:
        sweep: what was changed.
        state: the batch's.
        told: all that it changed, if they were not too many.
    """
    ids = state.tasks.keys() if told is None else state.tasks.keys() & told
    return [task_id for task_id in ids if _is_about(sweep, state.tasks[task_id])]


def _stored_assignee(task: Task) -> object:
    return None if task.loaded is None else task.loaded[_ASSIGNEE]


async def carry_out(session: AsyncSession, sweep: Sweep, state: State) -> Swept:
    """Change or count the rows, and load again what of them the batch had loaded before.

    Args:
        session: in the batch's transaction; the roots of what is changed are locked, and what was decided of
            it so far is written.
        sweep: what to change.
        state: the batch's; its tasks are replaced.
    """
    values: dict[str, Any] = asdict(sweep)
    count, ids = (await session.execute(STATEMENTS[type(sweep)], values)).one()
    told = tuple(ids) if count <= MAX_IDS else None
    if count:
        await load_tasks_again(session, state, _changed(sweep, state, told))
    return Swept(count=count, ids=told)
