"""The rules of what a user is called, pays for, is reached and known by."""

from collections.abc import Sequence

from domain.commands import ChangeEmail, ChangePlanTier, RenameUser, SetPasswordHash, VerifyEmail
from domain.events import EmailChanged, EmailVerified, Event, PasswordHashSet, PlanTierChanged, UserRenamed
from domain.given import Given
from domain.handlers.users import find_active_user
from domain.reads import Reads
from domain.rejections import Code, Rejected
from domain.state import State
from domain.transitions import VERIFY_EMAIL
from domain.values import email_key


def read_for_user(command: RenameUser | ChangePlanTier | VerifyEmail | SetPasswordHash, reads: Reads) -> None:
    """The user."""
    reads.user_to_change(command.user_id)


def rename_user(state: State, command: RenameUser, given: Given) -> Sequence[Event]:
    """The name must be another one."""
    user = find_active_user(state, command.user_id)
    if user.name == command.name:
        raise Rejected(Code.SAME_NAME, "The user has this name already")
    user.name = command.name
    return [UserRenamed(user_id=user.id)]


def change_plan_tier(state: State, command: ChangePlanTier, given: Given) -> Sequence[Event]:
    """Any tier may follow any other one."""
    user = find_active_user(state, command.user_id)
    if user.plan_tier is command.plan_tier:
        raise Rejected(Code.SAME_PLAN_TIER, f"User {user.id} is on the {user.plan_tier} tier already")
    before, user.plan_tier = user.plan_tier, command.plan_tier
    return [PlanTierChanged(user_id=user.id, from_tier=before, to_tier=command.plan_tier)]


def verify_email(state: State, command: VerifyEmail, given: Given) -> Sequence[Event]:
    """It must be the e-mail that the user has now, and not verified yet."""
    user = find_active_user(state, command.user_id)
    if user.email_key != email_key(command.email):
        raise Rejected(Code.OTHER_EMAIL, "The user has another e-mail")
    VERIFY_EMAIL.check("The e-mail of user", user.id, user.email_status)
    user.email_verified = True
    return [EmailVerified(user_id=user.id)]


def read_for_change_email(command: ChangeEmail, reads: Reads) -> None:
    """The user and whoever has the new e-mail."""
    reads.user_to_change(command.user_id)
    reads.emails.add(email_key(command.email))


def change_email(state: State, command: ChangeEmail, given: Given) -> Sequence[Event]:
    """It must be nobody else's; the user's own may be written otherwise, and is to be verified again then too."""
    user = find_active_user(state, command.user_id)
    if user.email == command.email:
        raise Rejected(Code.SAME_EMAIL, "The user has this e-mail already")
    key = email_key(command.email)
    if state.emails.get(key, user.id) != user.id:
        raise Rejected(Code.EMAIL_TAKEN, "Email already exists")
    user.email, user.email_verified = command.email, False
    state.give_email_key(user, key)
    return [EmailChanged(user_id=user.id)]


def set_password_hash(state: State, command: SetPasswordHash, given: Given) -> Sequence[Event]:
    """Whether it is another one than before nobody here can tell: it is written and never read."""
    user = find_active_user(state, command.user_id)
    user.password_hash = command.password_hash
    return [PasswordHashSet(user_id=user.id)]
