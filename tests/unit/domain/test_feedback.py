"""The rules of feedback."""

import pytest

from domain import commands
from domain.events import FeedbackSubmitted, FeedbackWithdrawn
from domain.rejections import Code
from domain.values import FeedbackStatus, SquadStatus
from tests import making
from tests.making import NOON, new_id
from tests.unit.domain.deciding import decide, refused


def submit(squad_id: str, feedback_id: str | None = None, **more: str) -> commands.SubmitFeedback:
    return commands.SubmitFeedback(squad_id=squad_id, feedback_id=feedback_id or new_id(), rating=4, **more)


@pytest.fixture
def task(world) -> str:
    """The id of a task of the world's squad."""
    state, _, squad_id = world
    decide(state, making.create_project(squad_id, project_id := new_id()))
    decide(state, making.create_task(squad_id, project_id, task_id := new_id()))
    return task_id


def test_feedback_keeps_its_comment_and_tells_the_rest(world, task):
    state, user_id, squad_id = world
    feedback_id = new_id()

    events = decide(state, submit(squad_id, feedback_id, comment="Quick", task_id=task, user_id=user_id))

    assert events == [
        FeedbackSubmitted(
            squad_id=squad_id,
            feedback_id=feedback_id,
            rating=4,
            task_id=task,
            user_id=user_id,
            submitted_at=NOON,
        )
    ]
    assert state.feedback[feedback_id].comment == "Quick"


def test_feedback_needs_neither_task_nor_user_but_real_ones(world, task):
    state, user_id, squad_id = world
    decide(state, making.create_squad(user_id, other := new_id()))

    assert decide(state, submit(squad_id))
    assert refused(state, submit(new_id())) is Code.SQUAD_NOT_FOUND
    assert refused(state, submit(squad_id, task_id=new_id())) is Code.TASK_NOT_FOUND
    assert refused(state, submit(other, task_id=task)) is Code.TASK_NOT_FOUND
    assert refused(state, submit(squad_id, user_id=new_id())) is Code.USER_NOT_FOUND
    state.users[user_id].is_active = False
    assert refused(state, submit(squad_id, user_id=user_id)) is Code.USER_INACTIVE
    state.squads[squad_id].status = SquadStatus.DISBANDED
    assert refused(state, submit(squad_id)) is Code.SQUAD_DISBANDED


def test_feedback_id_is_used_once_whatever_the_squad(world):
    state, user_id, squad_id = world
    decide(state, making.create_squad(user_id, other := new_id()))
    decide(state, submit(squad_id, feedback_id := new_id()))

    assert refused(state, submit(other, feedback_id)) is Code.FEEDBACK_EXISTS


def test_feedback_is_withdrawn_once_and_by_its_own_squad(world):
    state, user_id, squad_id = world
    decide(state, making.create_squad(user_id, other := new_id()))
    decide(state, submit(squad_id, feedback_id := new_id()))
    withdraw = commands.WithdrawFeedback(squad_id=squad_id, feedback_id=feedback_id)

    elsewhere = commands.WithdrawFeedback(squad_id=other, feedback_id=feedback_id)
    assert refused(state, elsewhere) is Code.FEEDBACK_NOT_FOUND
    assert decide(state, withdraw) == [FeedbackWithdrawn(squad_id=squad_id, feedback_id=feedback_id, withdrawn_at=NOON)]
    assert state.feedback[feedback_id].status is FeedbackStatus.WITHDRAWN
    assert refused(state, withdraw) is Code.CANNOT_WITHDRAW_WITHDRAWN_FEEDBACK
