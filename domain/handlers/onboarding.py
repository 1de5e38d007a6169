"""The rule of the one command that writes two streams: a user's and a squad's."""

from domain.commands import CreateSquad, OnboardUser, RegisterUser
from domain.effects import Effect, PartlyApplied
from domain.given import Given
from domain.handlers.squads import create_squad, read_for_create_squad, refuse_known_squad
from domain.handlers.users import read_for_register_user, register_user
from domain.reads import Reads
from domain.rejections import Rejected
from domain.state import State


def read_for_onboard_user(command: OnboardUser, reads: Reads) -> None:
    """What registering the user and making the squad read."""
    read_for_register_user(_registration(command), reads)
    read_for_create_squad(_creation(command), reads)


def onboard_user(state: State, command: OnboardUser, given: Given) -> Effect:
    """A new user owns a new squad; where the squad is optional and refused, the user stays without it.

    The squad's id is all that its rule can refuse, for its owner has just been registered; it is checked first, because
    a rejection must come before any change.
    """
    try:
        refuse_known_squad(state, command.squad_id)
    except Rejected as refusal:
        if not command.squad_optional:
            raise
        events = register_user(state, _registration(command), given)
        return PartlyApplied(events=events, refused={"squad": refusal.code})
    registered = register_user(state, _registration(command), given)
    return [*registered, *create_squad(state, _creation(command), given)]


def _registration(command: OnboardUser) -> RegisterUser:
    return RegisterUser(user_id=command.user_id, email=command.email, name=command.name)


def _creation(command: OnboardUser) -> CreateSquad:
    return CreateSquad(
        squad_id=command.squad_id,
        user_id=command.user_id,
        name=command.squad_name,
        description=command.description,
        roles=command.roles,
    )
