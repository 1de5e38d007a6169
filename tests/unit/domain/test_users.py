"""The rules of a user's stream."""

import itertools

import pytest

from domain import commands
from domain.answers import Answer
from domain.events import EmailChanged, EmailVerified, PasswordHashSet, PlanTierChanged, UserRegistered, UserRenamed
from domain.rejections import Code
from domain.state import State
from domain.values import PlanTier, email_key
from tests import making
from tests.contracts.examples.things import USER
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
    assert refused(state, commands.RegisterUserIfAbsent(user_id=user_id, email="new@example.org")) is Code.USER_ERASED


def test_absent_user_is_registered_as_any_other():
    state, user_id = State(), new_id()

    events = decide(state, commands.RegisterUserIfAbsent(user_id=user_id, email="Ada@Example.org"))

    assert events == [UserRegistered(user_id=user_id, plan_tier=PlanTier.FREE, registered_at=NOON)]
    assert state.users[user_id].name == "New User"


def test_whoever_has_the_email_is_found_and_nothing_changes():
    state, user_id = State(), new_id()
    decide(state, making.register_user(user_id, email="Ada@Example.org"))
    before = repr(state)

    found = answer(state, commands.RegisterUserIfAbsent(user_id=new_id(), email="ada@example.ORG", name="Other"))

    assert found == Answer(events=(), found={"user_id": user_id})
    assert repr(state) == before


def test_id_of_another_user_is_refused_though_the_email_is_free(world):
    state, user_id, _ = world

    assert refused(state, commands.RegisterUserIfAbsent(user_id=user_id, email="new@example.org")) is Code.USER_EXISTS


@pytest.fixture
def ada() -> tuple[State, str]:
    """A state with one user, whose e-mail is ada@example.org."""
    state, user_id = State(), new_id()
    decide(state, making.register_user(user_id, email="ada@example.org"))
    return state, user_id


def test_renamed_user_has_another_name_and_the_event_does_not_tell_it(ada):
    state, user_id = ada

    assert decide(state, commands.RenameUser(user_id=user_id, name="Grace")) == [UserRenamed(user_id=user_id)]
    assert state.users[user_id].name == "Grace"
    assert refused(state, commands.RenameUser(user_id=user_id, name="Grace")) is Code.SAME_NAME


def test_plan_tier_changes_to_any_other(ada):
    state, user_id = ada

    for before, after in itertools.pairwise(
        (PlanTier.FREE, PlanTier.PRO, PlanTier.ENTERPRISE, PlanTier.FREE, PlanTier.ENTERPRISE, PlanTier.PRO)
    ):
        command = commands.ChangePlanTier(user_id=user_id, plan_tier=after)
        assert decide(state, command) == [PlanTierChanged(user_id=user_id, from_tier=before, to_tier=after)]
        assert state.users[user_id].plan_tier is after
        assert refused(state, command) is Code.SAME_PLAN_TIER


def test_email_is_verified_once_and_only_the_one_that_the_user_has(ada):
    state, user_id = ada

    assert refused(state, commands.VerifyEmail(user_id=user_id, email="other@example.org")) is Code.OTHER_EMAIL
    mine = commands.VerifyEmail(user_id=user_id, email="ADA@example.org")
    assert decide(state, mine) == [EmailVerified(user_id=user_id)]
    assert state.users[user_id].email_verified
    assert refused(state, mine) is Code.CANNOT_VERIFY_VERIFIED_EMAIL


def test_changed_email_is_not_verified_and_frees_the_one_before(ada):
    state, user_id = ada
    state.users[user_id].email_verified = True

    events = decide(state, commands.ChangeEmail(user_id=user_id, email="Grace@example.org"))

    assert events == [EmailChanged(user_id=user_id)]
    user = state.users[user_id]
    assert (user.email, user.email_key, user.email_verified) == ("Grace@example.org", "grace@example.org", False)
    assert refused(state, making.register_user(email="GRACE@example.org")) is Code.EMAIL_TAKEN
    assert decide(state, making.register_user(email="ada@example.org"))


def test_ones_own_email_may_be_written_otherwise_and_another_users_not_at_all(ada):
    state, user_id = ada
    decide(state, making.register_user(email="Z\u00fcrich@example.org"))

    assert refused(state, commands.ChangeEmail(user_id=user_id, email="ada@example.org")) is Code.SAME_EMAIL
    taken = commands.ChangeEmail(user_id=user_id, email="ZU\u0308RICH@example.org")
    assert refused(state, taken) is Code.EMAIL_TAKEN
    assert decide(state, commands.ChangeEmail(user_id=user_id, email="Ada@Example.org"))
    assert (state.users[user_id].email, state.emails["ada@example.org"]) == ("Ada@Example.org", user_id)


def test_password_hash_is_replaced_and_not_told(ada):
    state, user_id = ada

    for password_hash in ("$one", "$two", "$two"):
        command = commands.SetPasswordHash(user_id=user_id, password_hash=password_hash)
        assert decide(state, command) == [PasswordHashSet(user_id=user_id)]
        assert state.users[user_id].password_hash == password_hash


@pytest.mark.parametrize(
    "wish",
    [
        commands.RenameUser(user_id=USER, name="Grace"),
        commands.ChangePlanTier(user_id=USER, plan_tier=PlanTier.PRO),
        commands.VerifyEmail(user_id=USER, email="ada@example.org"),
        commands.ChangeEmail(user_id=USER, email="grace@example.org"),
        commands.SetPasswordHash(user_id=USER, password_hash="$hash"),
    ],
    ids=lambda wish: type(wish).__name__,
)
def test_only_an_active_user_changes(wish):
    state = State()
    assert refused(state, wish) is Code.USER_NOT_FOUND
    decide(state, making.register_user(USER, email="ada@example.org"))

    state.users[USER].is_active = False
    assert refused(state, wish) is Code.USER_INACTIVE
    state.users[USER].erased_at = NOON
    assert refused(state, wish) is Code.USER_NOT_FOUND
    state.users[USER].is_active, state.users[USER].erased_at = True, None
    assert decide(state, wish)
