"""The rules of feedback."""

from collections.abc import Sequence

from domain.commands import SubmitFeedback, WithdrawFeedback
from domain.events import Event, FeedbackSubmitted, FeedbackWithdrawn
from domain.given import Given
from domain.handlers.squads import find_squad
from domain.handlers.tasks import find_task
from domain.handlers.users import find_active_user
from domain.reads import Reads
from domain.rejections import Code, Rejected
from domain.state import Feedback, State
from domain.transitions import WITHDRAW_FEEDBACK


def read_for_submit_feedback(command: SubmitFeedback, reads: Reads) -> None:
    """The squad, whatever has the feedback's id, and the task and the user that it names."""
    reads.squad_to_change(command.squad_id)
    reads.feedback.add(command.feedback_id)
    if command.task_id is not None:
        reads.tasks.add(command.task_id)
    if command.user_id is not None:
        reads.user_to_read(command.user_id)


def submit_feedback(state: State, command: SubmitFeedback, given: Given) -> Sequence[Event]:
    """The task, in whatever state, must be one of this squad."""
    squad = find_squad(state, command.squad_id)
    if command.feedback_id in state.feedback:
        raise Rejected(Code.FEEDBACK_EXISTS, f"Feedback {command.feedback_id} already exists")
    if command.task_id is not None:
        find_task(state, squad.id, command.task_id)
    if command.user_id is not None:
        find_active_user(state, command.user_id)
    state.feedback[command.feedback_id] = Feedback(
        id=command.feedback_id,
        squad_id=squad.id,
        task_id=command.task_id,
        user_id=command.user_id,
        rating=command.rating,
        comment=command.comment,
        created_at=given.now,
    )
    return [
        FeedbackSubmitted(
            squad_id=squad.id,
            feedback_id=command.feedback_id,
            rating=command.rating,
            task_id=command.task_id,
            user_id=command.user_id,
            submitted_at=given.now,
        )
    ]


def read_for_withdraw_feedback(command: WithdrawFeedback, reads: Reads) -> None:
    """The squad and the feedback."""
    reads.squad_to_change(command.squad_id)
    reads.feedback.add(command.feedback_id)


def withdraw_feedback(state: State, command: WithdrawFeedback, given: Given) -> Sequence[Event]:
    """It stays in the table, comment and all, but counts no more."""
    squad = find_squad(state, command.squad_id)
    feedback = state.feedback.get(command.feedback_id)
    if feedback is None or feedback.squad_id != squad.id:
        raise Rejected(Code.FEEDBACK_NOT_FOUND, f"Feedback {command.feedback_id} not found")
    WITHDRAW_FEEDBACK.check("Feedback", feedback.id, feedback.status)
    feedback.withdrawn_at = given.now
    return [FeedbackWithdrawn(squad_id=squad.id, feedback_id=feedback.id, withdrawn_at=given.now)]
