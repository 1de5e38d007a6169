"""Events of the feedback that a squad gets."""

from dataclasses import dataclass
from datetime import datetime

from domain.streams import OfSquad
from domain.values import FeedbackId, Rating, TaskId, UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackSubmitted(OfSquad):
    """A squad, or one of its tasks, was rated. The comment stays in the table: events carry no personal data."""

    feedback_id: FeedbackId
    rating: Rating
    task_id: TaskId | None = None
    user_id: UserId | None = None
    submitted_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackWithdrawn(OfSquad):
    """A rating does not count any more."""

    feedback_id: FeedbackId
    withdrawn_at: datetime
