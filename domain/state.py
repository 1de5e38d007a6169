"""The part of the world that one batch sees: plain slotted objects, by id and by natural key.

Field names and order are the tables' columns. `loaded` is the row as it was read (`None`: not stored yet); the store
compares it with the fields to find what changed, so no handler has to say so.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple, Protocol

from domain.values import (
    EmailStatus,
    FeedbackId,
    FeedbackStatus,
    Id,
    MemberId,
    MemberStatus,
    PlanTier,
    Priority,
    ProjectId,
    ProjectStatus,
    SquadId,
    SquadStatus,
    TaskId,
    TaskStatus,
    UserId,
    UserStatus,
)


class Row(Protocol):
    """What all state objects have in common."""

    id: Id
    loaded: tuple[object, ...] | None


@dataclass(slots=True)
class User:
    """The root of a user's stream.

    `password_hash` is written and never loaded: it is what this batch set, or `""` for what it took away.
    """

    id: UserId
    email: str | None
    email_key: str | None
    name: str | None
    is_active: bool
    email_verified: bool
    plan_tier: PlanTier
    created_at: datetime
    deleted_at: datetime | None = None
    erased_at: datetime | None = None
    version: int = 0
    password_hash: str | None = field(default=None, repr=False)
    loaded: tuple[object, ...] | None = field(default=None, repr=False)

    @property
    def status(self) -> UserStatus:
        """Whether the user takes part."""
        if self.erased_at is not None:
            return UserStatus.ERASED
        return UserStatus.ACTIVE if self.is_active else UserStatus.DEACTIVATED

    @property
    def email_status(self) -> EmailStatus:
        """Whether the e-mail was proved to be the user's."""
        return EmailStatus.VERIFIED if self.email_verified else EmailStatus.UNVERIFIED


@dataclass(slots=True)
class Squad:
    """The root of a squad's stream."""

    id: SquadId
    user_id: UserId
    name: str
    description: str | None
    status: SquadStatus
    created_at: datetime
    version: int = 0
    loaded: tuple[object, ...] | None = None


@dataclass(slots=True)
class Member:
    """A seat of a squad."""

    id: MemberId
    squad_id: SquadId
    user_id: UserId | None
    role: str
    name: str | None
    created_at: datetime
    removed_at: datetime | None = None
    loaded: tuple[object, ...] | None = None

    @property
    def status(self) -> MemberStatus:
        """Whether it is still in its squad."""
        return MemberStatus.ACTIVE if self.removed_at is None else MemberStatus.REMOVED


@dataclass(slots=True)
class Project:
    """A project of a squad."""

    id: ProjectId
    squad_id: SquadId
    name: str
    status: ProjectStatus
    created_at: datetime
    loaded: tuple[object, ...] | None = None


@dataclass(slots=True)
class Task:
    """A task of a project."""

    id: TaskId
    squad_id: SquadId
    project_id: ProjectId
    title: str
    status: TaskStatus
    priority: Priority
    assignee_id: MemberId | None
    created_at: datetime
    completed_at: datetime | None = None
    loaded: tuple[object, ...] | None = None


@dataclass(slots=True)
class Feedback:
    """A rating of a squad, or of one of its tasks."""

    id: FeedbackId
    squad_id: SquadId
    task_id: TaskId | None
    user_id: UserId | None
    rating: int
    comment: str | None
    created_at: datetime
    withdrawn_at: datetime | None = None
    loaded: tuple[object, ...] | None = None

    @property
    def status(self) -> FeedbackStatus:
        """Whether it counts."""
        return FeedbackStatus.SUBMITTED if self.withdrawn_at is None else FeedbackStatus.WITHDRAWN


class UsageKey(NamedTuple):
    """What makes a row of usage the same one; `period` is the month's first day."""

    squad_id: SquadId
    metric: str
    period: date


@dataclass(slots=True)
class Usage:
    """How much of something a squad used in a month."""

    id: Id
    squad_id: SquadId
    metric: str
    period: date
    value: int
    limit_value: int | None
    loaded: tuple[object, ...] | None = None

    @property
    def is_above(self) -> bool:
        """Whether it is more than its limit."""
        return self.limit_value is not None and self.value > self.limit_value


@dataclass(slots=True)
class State:
    """Everything loaded for a batch, and everything its handlers made so far.

    `emails` tells who has an e-mail, by its key; `owners_elsewhere` who owns an active squad that is not loaded here.
    """

    users: dict[UserId, User] = field(default_factory=dict)
    squads: dict[SquadId, Squad] = field(default_factory=dict)
    members: dict[MemberId, Member] = field(default_factory=dict)
    projects: dict[ProjectId, Project] = field(default_factory=dict)
    tasks: dict[TaskId, Task] = field(default_factory=dict)
    feedback: dict[FeedbackId, Feedback] = field(default_factory=dict)
    usage: dict[UsageKey, Usage] = field(default_factory=dict)
    emails: dict[str, UserId] = field(default_factory=dict)
    owners_elsewhere: set[UserId] = field(default_factory=set)

    def add_user(self, user: User) -> None:
        """Make a new user visible to the commands after this one, by id and by e-mail."""
        self.users[user.id] = user
        self.give_email_key(user, user.email_key)

    def give_email_key(self, user: User, key: str | None) -> None:
        """Let a user be found by another e-mail, or by none; the one before is free for others."""
        if user.email_key is not None:
            self.emails.pop(user.email_key, None)
        user.email_key = key
        if key is not None:
            self.emails[key] = user.id
