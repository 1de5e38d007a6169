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
