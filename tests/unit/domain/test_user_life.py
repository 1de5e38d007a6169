"""The rules of leaving: for a while, and for good."""

import pytest

from domain import commands
from domain.events import UserDeactivated, UserDeleted, UserReactivated
from domain.rejections import Code
from domain.state import State
from domain.values import SquadStatus
from tests import making
from tests.making import NOON, new_id
from tests.unit.domain.deciding import decide, refused


@pytest.fixture
def ada() -> tuple[State, str]:
    """A state with one user, whose e-mail is ada@x."""
    state, user_id = State(), new_id()
    decide(state, making.register_user(user_id, email="Ada@x"))
    return state, user_id


def test_deactivated_user_keeps_everything_but_the_right_to_the_email(ada):
    state, user_id = ada
    command = commands.DeactivateUser(user_id=user_id)

    assert decide(state, command) == [UserDeactivated(user_id=user_id, deactivated_at=NOON)]

    user = state.users[user_id]
    assert (user.is_active, user.deleted_at, user.email, user.email_key) == (False, NOON, "Ada@x", None)
    assert refused(state, command) is Code.CANNOT_DEACTIVATE_DEACTIVATED_USER
    assert refused(state, making.create_squad(user_id)) is Code.USER_INACTIVE
    assert decide(state, making.register_user(email="ada@x"))


def test_reactivated_user_has_the_email_again(ada):
    state, user_id = ada
    command = commands.ReactivateUser(user_id=user_id)
    assert refused(state, command) is Code.CANNOT_REACTIVATE_ACTIVE_USER
    decide(state, commands.DeactivateUser(user_id=user_id))

    assert decide(state, command) == [UserReactivated(user_id=user_id)]

    user = state.users[user_id]
    assert (user.is_active, user.deleted_at, user.email_key) == (True, None, "ada@x")
    assert refused(state, making.register_user(email="ADA@x")) is Code.EMAIL_TAKEN


def test_nobody_is_reactivated_whose_email_somebody_else_has(ada):
    state, user_id = ada
    decide(state, commands.DeactivateUser(user_id=user_id))
    decide(state, making.register_user(other := new_id(), email="ADA@x"))

    assert refused(state, commands.ReactivateUser(user_id=user_id)) is Code.EMAIL_TAKEN
    decide(state, commands.ChangeEmail(user_id=other, email="other@x"))
    assert decide(state, commands.ReactivateUser(user_id=user_id))


@pytest.mark.parametrize("is_active", [True, False])
def test_deleted_user_leaves_nothing_personal_and_is_not_found_any_more(ada, is_active):
    state, user_id = ada
    user = state.users[user_id]
    user.email_verified, user.password_hash = True, "$hash"
    if not is_active:
        decide(state, commands.DeactivateUser(user_id=user_id))

    assert decide(state, commands.DeleteUser(user_id=user_id)) == [UserDeleted(user_id=user_id, erased_at=NOON)]

    assert (user.email, user.email_key, user.name, user.password_hash) == (None, None, None, "")
    assert (user.is_active, user.email_verified, user.deleted_at, user.erased_at) == (False, False, NOON, NOON)
    for wish in (commands.DeleteUser, commands.DeactivateUser, commands.ReactivateUser):
        assert refused(state, wish(user_id=user_id)) is Code.USER_NOT_FOUND
    assert refused(state, making.register_user(user_id)) is Code.USER_ERASED
    assert decide(state, making.register_user(email="ada@x"))


def test_owner_of_a_squad_cannot_be_deleted_until_it_has_another_one(world):
    state, user_id, squad_id = world
    decide(state, making.register_user(other := new_id()))

    assert refused(state, commands.DeleteUser(user_id=user_id)) is Code.USER_OWNS_SQUADS
    decide(state, making.transfer(squad_id, other))
    assert decide(state, commands.DeleteUser(user_id=user_id))
    assert refused(state, commands.DeleteUser(user_id=other)) is Code.USER_OWNS_SQUADS


def test_disbanded_squad_does_not_keep_its_owner(world):
    state, user_id, squad_id = world
    state.squads[squad_id].status = SquadStatus.DISBANDED

    assert decide(state, commands.DeleteUser(user_id=user_id))


def test_squad_that_the_batch_did_not_load_keeps_its_owner_too(ada):
    state, user_id = ada
    state.owners_elsewhere.add(user_id)

    assert refused(state, commands.DeleteUser(user_id=user_id)) is Code.USER_OWNS_SQUADS
