"""The tables of what goes on inside a squad: projects, tasks, feedback, usage."""

from datetime import date
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, SmallInteger, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, Key, Moment


class Project(Base):
    """A project of a squad."""

    __tablename__ = "projects"
    __table_args__ = (Index("ix_projects_squad_id", "squad_id"),)

    id: Mapped[Key]
    squad_id: Mapped[UUID] = mapped_column(ForeignKey("squads.id", ondelete="RESTRICT"))
    name: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    created_at: Mapped[Moment]


class Task(Base):
    """A task of a project; `squad_id` repeats its project's, because it is the key of everything that happens to it."""

    __tablename__ = "tasks"
    __table_args__ = (
        Index("ix_tasks_squad_id_status", "squad_id", "status"),
        Index("ix_tasks_project_id_status_created_at", "project_id", "status", "created_at"),
        # Of all projects only what is pending is listed; a task that was done leaves nothing here.
        Index("ix_tasks_pending", "priority", "created_at", postgresql_where=text("status = 'pending'")),
        Index("ix_tasks_assigned", "assignee_id", "status", postgresql_where=text("assignee_id IS NOT NULL")),
    )

    id: Mapped[Key]
    squad_id: Mapped[UUID] = mapped_column(ForeignKey("squads.id", ondelete="RESTRICT"))
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id", ondelete="RESTRICT"))
    title: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    priority: Mapped[str] = mapped_column(Text)
    assignee_id: Mapped[UUID | None] = mapped_column(ForeignKey("squad_members.id", ondelete="RESTRICT"))
    created_at: Mapped[Moment]
    completed_at: Mapped[Moment | None]


class Feedback(Base):
    """A rating of a squad, or of one of its tasks."""

    __tablename__ = "feedback"
    __table_args__ = (
        CheckConstraint("rating BETWEEN 1 AND 5", name="rating_from_one_to_five"),
        # With what averages are made of, so that they are made of the index alone.
        Index("ix_feedback_squad_id_rating", "squad_id", postgresql_include=["rating", "withdrawn_at"]),
        Index("ix_feedback_task_id", "task_id"),
        Index("ix_feedback_user_id", "user_id"),
    )

    id: Mapped[Key]
    squad_id: Mapped[UUID] = mapped_column(ForeignKey("squads.id", ondelete="RESTRICT"))
    task_id: Mapped[UUID | None] = mapped_column(ForeignKey("tasks.id", ondelete="RESTRICT"))
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="RESTRICT"))
    rating: Mapped[int] = mapped_column(SmallInteger)
    comment: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[Moment]
    withdrawn_at: Mapped[Moment | None]


class UsageMetric(Base):
    """How much of something a squad used in a month; `period` is the month's first day, UTC."""

    __tablename__ = "usage_metrics"
    __table_args__ = (
        CheckConstraint("value >= 0", name="value_not_negative"),
        CheckConstraint("period = date_trunc('month', period::timestamp)::date", name="period_starts_a_month"),
        Index("uq_usage_metrics_squad_id_metric_period", "squad_id", "metric", "period", unique=True),
    )

    id: Mapped[Key]
    squad_id: Mapped[UUID] = mapped_column(ForeignKey("squads.id", ondelete="RESTRICT"))
    metric: Mapped[str] = mapped_column(Text)
    period: Mapped[date]
    value: Mapped[int] = mapped_column(BigInteger)
    limit_value: Mapped[int | None] = mapped_column(BigInteger)
