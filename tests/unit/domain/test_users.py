"""The rules of a user's stream."""

from domain.answers import Answer
from domain.commands import RegisterUserIfAbsent
from domain.events import UserRegistered
from domain.rejections import Code
from domain.state import State
from domain.values import PlanTier, email_key
from tests import making
from tests.making import NOON, new_id
from tests.unit.domain.deciding import answer, decide, refused


def test_registered_user_starts_active_free_and_unverified():
    state, user_id = State(), new_id()

    events = decide(state, making.register_user(user_id, email="Ada@Example.org"))

    assert [*events] == [UserRegistered(user_id=user_id, plan_tier=PlanTier.FREE, registered_at=NOON)]
    user = state.users[user_id]
    assert (user.email, user.email_key) == ("Ada@Example.org", "ada@example.org")
    assert (user.is_active, user.email_verified, user.plan_tier) == (True, False, "free")


def test_email_is_taken_whatever_its_case_or_normal_form():
    state = State()
    decide(state, making.register_user(email="Z\u00fcrich@example.org"))

    assert refused(state, making.register_user(email="zU\u0308RICH@EXAMPLE.ORG")) is Code.EMAIL_TAKEN


def test_email_key_is_the_same_after_folding_twice():
    for text in ("\u00dc@x", "u\u0308@x", "\u1fb3@x", "\u0130@x", "\ufb01@x"):
        assert email_key(email_key(text)) == email_key(text)


def test_user_id_registers_once(world):
    state, user_id, _ = world

    assert refused(state, making.register_user(user_id)) is Code.USER_EXISTS


def test_erased_users_id_is_never_used_again(world):
    state, user_id, _ = world
    state.users[user_id].erased_at = NOON

    assert refused(state, making.register_user(user_id)) is Code.USER_ERASED
    assert refused(state, RegisterUserIfAbsent(user_id=user_id, email="new@example.org")) is Code.USER_ERASED


def test_absent_user_is_registered_as_any_other():
    state, user_id = State(), new_id()

    events = decide(state, RegisterUserIfAbsent(user_id=user_id, email="Ada@Example.org"))

    assert events == [UserRegistered(user_id=user_id, plan_tier=PlanTier.FREE, registered_at=NOON)]
    assert state.users[user_id].name == "New User"


def test_whoever_has_the_email_is_found_and_nothing_changes():
    state, user_id = State(), new_id()
    decide(state, making.register_user(user_id, email="Ada@Example.org"))
    before = repr(state)

    found = answer(state, RegisterUserIfAbsent(user_id=new_id(), email="ada@example.ORG", name="Other"))

    assert found == Answer(events=(), found={"user_id": user_id})
    assert repr(state) == before


def test_id_of_another_user_is_refused_though_the_email_is_free(world):
    state, user_id, _ = world

    assert refused(state, RegisterUserIfAbsent(user_id=user_id, email="new@example.org")) is Code.USER_EXISTS
