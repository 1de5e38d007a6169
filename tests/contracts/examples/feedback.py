"""Messages of feedback."""

from typing import Any

from domain import commands, events
from tests.contracts.examples.things import FEEDBACK, SQUAD, TASK, USER
from tests.making import NOON

EXAMPLES: dict[str, Any] = {
    "squad.submit-feedback.v1": commands.SubmitFeedback(
        squad_id=SQUAD, feedback_id=FEEDBACK, rating=4, comment="Quick", task_id=TASK, user_id=USER
    ),
    "squad.withdraw-feedback.v1": commands.WithdrawFeedback(squad_id=SQUAD, feedback_id=FEEDBACK),
    "squad.feedback-submitted.v1": events.FeedbackSubmitted(
        squad_id=SQUAD, feedback_id=FEEDBACK, rating=4, task_id=TASK, user_id=USER, submitted_at=NOON
    ),
    "squad.feedback-withdrawn.v1": events.FeedbackWithdrawn(squad_id=SQUAD, feedback_id=FEEDBACK, withdrawn_at=NOON),
}
