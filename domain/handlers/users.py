"""Finding users for the rules of others."""

from domain.rejections import Code, Rejected
from domain.state import State, User
from domain.transitions import NOT_FOUND
from domain.values import UserId


def find_user(state: State, user_id: UserId) -> User:
    """Give a user who exists, active or not.

    Raises:
        Rejected: `user-not-found`, also when erased.
    """
    user = state.users.get(user_id)
    if user is None or user.status in NOT_FOUND:
        raise Rejected(Code.USER_NOT_FOUND, f"User {user_id} not found")
    return user


def find_active_user(state: State, user_id: UserId) -> User:
    """Give a user who exists and is active.

    Raises:
        Rejected: `user-not-found` (also when erased) or `user-inactive`.
    """
    user = find_user(state, user_id)
    if not user.is_active:
        raise Rejected(Code.USER_INACTIVE, f"User {user_id} is not active")
    return user
