"""Events of a user's stream."""

from dataclasses import dataclass
from datetime import datetime

from domain.streams import OfUser
from domain.values import PlanTier


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRegistered(OfUser):
    """A user became known. Name and e-mail stay in the table: events carry no personal data."""

    plan_tier: PlanTier
    registered_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRenamed(OfUser):
    """A user has another name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanTierChanged(OfUser):
    """A user is on another plan."""

    from_tier: PlanTier
    to_tier: PlanTier


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailVerified(OfUser):
    """A user's e-mail was proved to be theirs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailChanged(OfUser):
    """A user has another e-mail, which is not verified yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordHashSet(OfUser):
    """A user has another password; nothing of it is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserDeactivated(OfUser):
    """A user is not active any more."""

    deactivated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class UserReactivated(OfUser):
    """A user is active again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserDeleted(OfUser):
    """A user was erased for good; whoever keeps personal data of theirs is to erase it too."""

    erased_at: datetime
