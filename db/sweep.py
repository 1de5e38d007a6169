"""Carrying out sweeps: one statement each, however many rows it changes or counts."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from db.load import load_tasks_again
from domain.state import State
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


async def carry_out(session: AsyncSession, sweep: Sweep, state: State) -> Swept:
    """Change or count the rows, and load again what of them the batch had loaded before.

    Args:
        session: in the batch's transaction; the roots of what is changed are locked, and what was decided so far is
            written.
        sweep: what to change.
        state: the batch's; its tasks are replaced.
    """
    values: dict[str, Any] = asdict(sweep)
    count, ids = (await session.execute(STATEMENTS[type(sweep)], values)).one()
    if count:
        await load_tasks_again(session, state)
    return Swept(count=count, ids=tuple(ids) if count <= MAX_IDS else None)
