"""The rules of becoming a user."""

from collections.abc import Sequence

from domain.answers import Answer, Decided
from domain.commands import RegisterUser, RegisterUserIfAbsent
from domain.events import Event, UserRegistered
from domain.given import Given
from domain.reads import Reads
from domain.rejections import Code, Rejected
from domain.state import State, User
from domain.values import Email, PersonName, PlanTier, UserId, email_key


def add_user(state: State, user_id: UserId, email: Email, name: PersonName, given: Given) -> Sequence[Event]:
    """Make a user known, active, on the free tier, with an unverified e-mail.

    Raises:
        Rejected: `user-exists`, `user-erased` or `email-taken`.
    """
    check_user_id_is_new(state, user_id)
    key = email_key(email)
    if key in state.emails:
        raise Rejected(Code.EMAIL_TAKEN, "Email already exists")
    state.add_user(
        User(
            id=user_id,
            email=email,
            email_key=key,
            name=name,
            is_active=True,
            email_verified=False,
            plan_tier=PlanTier.FREE,
            created_at=given.now,
        )
    )
    return [UserRegistered(user_id=user_id, plan_tier=PlanTier.FREE, registered_at=given.now)]


def check_user_id_is_new(state: State, user_id: UserId) -> None:
    """Refuse an id that was used before: its stream would begin anew.

    Raises:
        Rejected: `user-exists` or `user-erased`.
    """
    user = state.users.get(user_id)
    if user is not None and user.erased_at is not None:
        raise Rejected(Code.USER_ERASED, f"User {user_id} was deleted for good, so the id cannot be used again")
    if user is not None:
        raise Rejected(Code.USER_EXISTS, f"User {user_id} already exists")


def read_for_register_user(command: RegisterUser | RegisterUserIfAbsent, reads: Reads) -> None:
    """The user's own root and whoever has the e-mail."""
    reads.user_to_change(command.user_id)
    reads.emails.add(email_key(command.email))


def register_user(state: State, command: RegisterUser, given: Given) -> Sequence[Event]:
    """Neither the id nor the e-mail may be somebody's."""
    return add_user(state, command.user_id, command.email, command.name, given)


def register_user_if_absent(state: State, command: RegisterUserIfAbsent, given: Given) -> Decided:
    """Whoever has the e-mail is the user, whatever id was given; nothing of them changes."""
    found = state.emails.get(email_key(command.email))
    if found is not None:
        return Answer(events=(), found={"user_id": found})
    return add_user(state, command.user_id, command.email, command.name, given)
