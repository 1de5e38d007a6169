"""Reads of tasks, newest first."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Subquery, Text, column, literal, select, true, tuple_, values
from sqlalchemy.ext.asyncio import AsyncSession

from db.models import Project, Task
from db.queries.pages import KeyPage, UnknownPlaceError, check_per_page, cut
from domain.values import Priority, TaskStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFilter:
    """Which tasks; of what is said, all must hold.

    A project, a squad or an assignee must be named. Of all projects together only pending tasks of one priority can be
    listed: for these there is an index, and another one for all would cost every command that moves a task along.

    Args:
        project_id: only tasks of this project.
        squad_id: only tasks of this squad.
        assignee_id: only tasks of this member.
        status: only tasks that stand there.
        priority: only tasks that are so urgent.

    Raises:
        ValueError: what is said fits tasks of all projects, and is not that they are pending and of a priority.
    """

    project_id: UUID | None = None
    squad_id: UUID | None = None
    assignee_id: UUID | None = None
    status: TaskStatus | None = None
    priority: Priority | None = None

    def __post_init__(self) -> None:
        across_all = self.project_id is None and self.squad_id is None and self.assignee_id is None
        if across_all and (self.status != TaskStatus.PENDING or self.priority is None):
            raise ValueError(
                "name a project, a squad or an assignee: of all projects only pending tasks of a priority can be listed"
            )

    def conditions(self) -> Iterator[ColumnElement[bool]]:
        """Give what the rows must fulfil."""
        if self.project_id is not None:
            yield Task.project_id == self.project_id
        if self.squad_id is not None:
            yield Task.squad_id == self.squad_id
        if self.assignee_id is not None:
            yield Task.assignee_id == self.assignee_id
        if self.status is not None:
            # In the statement itself: that an index of pending tasks will do, cannot be seen of a parameter.
            yield Task.status == literal(str(TaskStatus(self.status)), literal_execute=True)
        if self.priority is not None:
            yield Task.priority == Priority(self.priority)


async def get_tasks(
    session: AsyncSession, where: TaskFilter, after: UUID | None = None, per_page: int = 20
) -> KeyPage[Task]:
    """Give the page of tasks that follows a task, newest first, in two statements; the first page, in one.

    Args:
        session: to read with.
        where: which tasks.
        after: `next` of the page before.
        per_page: 1 to `MAX_PER_PAGE`.

    Raises:
        ValueError: a size that no page has.
        UnknownPlaceError: there is no such task.
    """
    check_per_page(per_page)
    place = None
    if after is not None:
        created_at = await session.scalar(select(Task.created_at).where(Task.id == after))
        if created_at is None:
            raise UnknownPlaceError(after)
        place = (created_at, after)
    return cut((await session.scalars(_newest(where, place, per_page + 1))).all(), per_page)


def _newest(where: TaskFilter, after: tuple[datetime, UUID] | None, limit: int) -> Select[Task]:
    wanted = list(where.conditions())
    if after is not None:
        created_at, task_id = after
        wanted.append(tuple_(Task.created_at, Task.id) < tuple_(literal(created_at), literal(task_id)))
    newest_first = (Task.created_at.desc(), Task.id.desc())
    if where.assignee_id is not None or (where.project_id is None and where.squad_id is None):
        return select(Task).where(*wanted).order_by(*newest_first).limit(limit)
    ids = _newest_of_projects(where, wanted, limit)
    return select(Task).join(ids, Task.id == ids.c.id).order_by(*newest_first)


def _newest_of_projects(where: TaskFilter, wanted: Sequence[ColumnElement[bool]], limit: int) -> Subquery:
    """Look into the index once for each project and status, and take the newest of what is found there.

    Thus a page costs the same however many tasks there are, and the index that finds open tasks for the commands does
    for the reads too.
    """
    statuses = values(column("status", Text), name="statuses").data(
        [(str(status),) for status in ([where.status] if where.status is not None else TaskStatus)]
    )
    newest = (
        select(Task.id, Task.created_at)
        .where(Task.project_id == Project.id, Task.status == statuses.c.status, *wanted)
        .order_by(Task.created_at.desc(), Task.id.desc())
        .limit(limit)
        .lateral("newest")
    )
    projects = select(newest.c.id).select_from(Project).join(statuses, true()).join(newest, true())
    if where.project_id is not None:
        projects = projects.where(Project.id == where.project_id)
    if where.squad_id is not None:
        projects = projects.where(Project.squad_id == where.squad_id)
    return projects.order_by(newest.c.created_at.desc(), newest.c.id.desc()).limit(limit).subquery("chosen")
