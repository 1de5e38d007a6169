"""Commands on the feedback that a squad gets."""

from dataclasses import dataclass

from domain.streams import OfSquad
from domain.values import Comment, FeedbackId, Rating, TaskId, UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitFeedback(OfSquad):
    """Rate a squad, or one of its tasks; an active user may say that it is theirs."""

    feedback_id: FeedbackId
    rating: Rating
    comment: Comment | None = None
    task_id: TaskId | None = None
    user_id: UserId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawFeedback(OfSquad):
    """Take feedback back, so that it counts no more."""

    feedback_id: FeedbackId
