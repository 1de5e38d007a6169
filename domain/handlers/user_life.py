"""The rules of leaving: for a while, and for good."""

from collections.abc import Sequence
from typing import Final

from domain.commands import DeactivateUser, DeleteUser, ReactivateUser
from domain.events import Event, UserDeactivated, UserDeleted, UserReactivated
from domain.given import Given
from domain.handlers.users import find_user
from domain.reads import Reads
from domain.rejections import Code, Rejected
from domain.state import State
from domain.transitions import DEACTIVATE, DELETE, REACTIVATE
from domain.values import SquadStatus, UserId, email_key

TAKEN_AWAY: Final = ""
"""What a field becomes that is written and never loaded."""


def read_for_deactivate_user(command: DeactivateUser, reads: Reads) -> None:
    """The user."""
    reads.user_to_change(command.user_id)


def deactivate_user(state: State, command: DeactivateUser, given: Given) -> Sequence[Event]:
    """Everything about the user stays, but others may have the e-mail from now on."""
    user = find_user(state, command.user_id)
    DEACTIVATE.check("User", user.id, user.status)
    user.is_active, user.deleted_at = False, given.now
    state.give_email_key(user, None)
    return [UserDeactivated(user_id=user.id, deactivated_at=given.now)]


def read_for_reactivate_user(command: ReactivateUser, reads: Reads) -> None:
    """The user and whoever has their e-mail now."""
    reads.user_to_change(command.user_id)
    reads.emails_of.add(command.user_id)


def reactivate_user(state: State, command: ReactivateUser, given: Given) -> Sequence[Event]:
    """The e-mail must still be nobody else's."""
    user = find_user(state, command.user_id)
    REACTIVATE.check("User", user.id, user.status)
    key = None if user.email is None else email_key(user.email)
    if key in state.emails:
        raise Rejected(Code.EMAIL_TAKEN, "Email already exists")
    user.is_active, user.deleted_at = True, None
    state.give_email_key(user, key)
    return [UserReactivated(user_id=user.id)]


def read_for_delete_user(command: DeleteUser, reads: Reads) -> None:
    """The user and whether they own a squad."""
    reads.user_to_change(command.user_id)
    reads.owners.add(command.user_id)


def delete_user(state: State, command: DeleteUser, given: Given) -> Sequence[Event]:
    """Whatever is personal is erased; the row stays, so that the id is never used again."""
    user = find_user(state, command.user_id)
    DELETE.check("User", user.id, user.status)
    if owns_squads(state, user.id):
        raise Rejected(Code.USER_OWNS_SQUADS, f"User {user.id} owns squads, so they cannot be deleted")
    state.give_email_key(user, None)
    user.email, user.name, user.password_hash = None, None, TAKEN_AWAY
    user.is_active, user.email_verified = False, False
    user.deleted_at, user.erased_at = user.deleted_at or given.now, given.now
    return [UserDeleted(user_id=user.id, erased_at=given.now)]


def owns_squads(state: State, user_id: UserId) -> bool:
    """Tell whether a user owns a squad that is not disbanded, among those of the batch or any other."""
    return user_id in state.owners_elsewhere or any(
        squad.user_id == user_id and squad.status is SquadStatus.ACTIVE for squad in state.squads.values()
    )
