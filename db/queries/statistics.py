"""Numbers about squads: ratings, members, open tasks, usage. What there is none of counts 0, its average is `None`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeVarTuple
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from db.models import Feedback, Squad, SquadMember, Task, UsageMetric
from db.queries.pages import MAX_PER_PAGE, KeyPage, check_per_page, cut
from domain.values import OPEN, is_storable

Columns = TypeVarTuple("Columns")


@dataclass(frozen=True, slots=True, kw_only=True)
class SquadRating:
    """What a squad's feedback amounts to.

    Args:
        id: the squad's.
        average: of its ratings, 1 to 5; `None`: it has none.
        count: how many ratings.
    """

    id: UUID
    average: float | None
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How many of something a squad or a member has.

    Args:
        id: the squad's or the member's.
        count: how many.
    """

    id: UUID
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """How much of a metric a squad used in a month.

    Args:
        metric: its name.
        period: the first day of the month.
        value: how much.
        limit: how much it may use; `None`: as much as it likes.
    """

    metric: str
    period: date
    value: int
    limit: int | None


async def average_feedback_rating(session: AsyncSession, squad_id: UUID | None = None) -> float | None:
    """Give the average of all ratings, or of a squad's, that were not withdrawn; of none, `None`."""
    ratings = select(func.avg(Feedback.rating)).where(Feedback.withdrawn_at.is_(None))
    if squad_id is not None:
        ratings = ratings.where(Feedback.squad_id == squad_id)
    average = await session.scalar(ratings)
    return None if average is None else float(average)


async def squad_feedback_ratings(
    session: AsyncSession, after: UUID | None = None, per_page: int = 20
) -> KeyPage[SquadRating]:
    """Give a page of squads in the order of their ids, each with its average, in one statement.

    Args:
        session: to read with.
        after: `next` of the page before.
        per_page: 1 to `MAX_PER_PAGE`.

    Raises:
        ValueError: a size that no page has.
    """
    check_per_page(per_page)
    rated = (
        select(func.avg(Feedback.rating).label("average"), func.count().label("count"))
        .where(Feedback.squad_id == Squad.id, Feedback.withdrawn_at.is_(None))
        .lateral("rated")
    )
    rows = await session.execute(_of_squads(select(Squad.id, rated.c.average, rated.c.count), after, per_page))
    found = [
        SquadRating(id=squad_id, average=None if average is None else float(average), count=count)
        for squad_id, average, count in rows
    ]
    return cut(found, per_page)


async def squad_member_counts(session: AsyncSession, after: UUID | None = None, per_page: int = 20) -> KeyPage[Count]:
    """Give a page of squads in the order of their ids, each with the number of its members, in one statement.

    The guide's inner join leaves out squads without members; here they come, with 0. Members who were removed are not
    counted.

    Args:
        session: to read with.
        after: `next` of the page before.
        per_page: 1 to `MAX_PER_PAGE`.

    Raises:
        ValueError: a size that no page has.
    """
    check_per_page(per_page)
    members = (
        select(func.count()).where(SquadMember.squad_id == Squad.id, SquadMember.removed_at.is_(None)).scalar_subquery()
    )
    rows = await session.execute(_of_squads(select(Squad.id, members), after, per_page))
    return cut([Count(id=squad_id, count=count) for squad_id, count in rows], per_page)


async def open_task_counts(session: AsyncSession, squad_id: UUID) -> Sequence[Count]:
    """Give the members of a squad, oldest first, each with the number of its open tasks, in one statement."""
    tasks = (
        select(func.count()).where(Task.assignee_id == SquadMember.id, Task.status.in_(sorted(OPEN))).scalar_subquery()
    )
    rows = await session.execute(
        select(SquadMember.id, tasks)
        .where(SquadMember.squad_id == squad_id, SquadMember.removed_at.is_(None))
        .order_by(SquadMember.created_at, SquadMember.id)
    )
    return [Count(id=member_id, count=count) for member_id, count in rows]


async def get_usage(
    session: AsyncSession,
    squad_id: UUID,
    *,
    metric: str | None = None,
    month: date | None = None,
    limit: int = MAX_PER_PAGE,
) -> Sequence[Usage]:
    """Give what a squad used, by metric and month, the newest month of each metric first.

    Args:
        session: to read with.
        squad_id: whose.
        metric: only of this metric.
        month: only in the month that has this day.
        limit: 1 to `MAX_PER_PAGE`.

    Raises:
        ValueError: a limit that there is not.
    """
    check_per_page(limit, "limit")
    wanted = select(UsageMetric.metric, UsageMetric.period, UsageMetric.value, UsageMetric.limit_value).where(
        UsageMetric.squad_id == squad_id
    )
    if metric is not None:
        if not is_storable(metric):
            return ()
        wanted = wanted.where(UsageMetric.metric == metric)
    if month is not None:
        wanted = wanted.where(UsageMetric.period == month.replace(day=1))
    rows = await session.execute(wanted.order_by(UsageMetric.metric, UsageMetric.period.desc()).limit(limit))
    return [Usage(metric=name, period=period, value=value, limit=most) for name, period, value, most in rows]


def _of_squads(numbers: Select[*Columns], after: UUID | None, per_page: int) -> Select[*Columns]:
    if after is not None:
        numbers = numbers.where(Squad.id > after)
    return numbers.order_by(Squad.id).limit(per_page + 1)
