"""The rules of a user's stream."""

from collections.abc import Sequence

from domain.commands import RegisterUser
from domain.events import Event, UserRegistered
from domain.given import Given
from domain.reads import Reads
from domain.rejections import Code, Rejected
from domain.state import State, User
from domain.values import PlanTier, UserId, email_key


def find_active_user(state: State, user_id: UserId) -> User:
    """Give a user who exists and is active.

    Raises:
        Rejected: `user-not-found` (also when erased) or `user-inactive`.
    """
    user = state.users.get(user_id)
    if user is None or user.erased_at is not None:
        raise Rejected(Code.USER_NOT_FOUND, f"User {user_id} not found")
    if not user.is_active:
        raise Rejected(Code.USER_INACTIVE, f"User {user_id} is not active")
    return user


def read_for_register_user(command: RegisterUser, reads: Reads) -> None:
    """The user's own root and whoever has the e-mail."""
    reads.user_to_change(command.user_id)
    reads.emails.add(email_key(command.email))


def register_user(state: State, command: RegisterUser, given: Given) -> Sequence[Event]:
    """A new user starts active, on the free tier, with an unverified e-mail."""
    if command.user_id in state.users:
        raise Rejected(Code.USER_EXISTS, f"User {command.user_id} already exists")
    key = email_key(command.email)
    if key in state.emails:
        raise Rejected(Code.EMAIL_TAKEN, "Email already exists")
    state.add_user(
        User(
            id=command.user_id,
            email=command.email,
            email_key=key,
            name=command.name,
            is_active=True,
            email_verified=False,
            plan_tier=PlanTier.FREE,
            created_at=given.now,
        )
    )
    return [UserRegistered(user_id=command.user_id, plan_tier=PlanTier.FREE, registered_at=given.now)]
