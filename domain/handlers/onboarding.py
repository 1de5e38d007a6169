"""The rule of the one command that writes two streams: a user's and a squad's."""

from domain.answers import Answer, Decided
from domain.commands import OnboardUser
from domain.given import Given
from domain.handlers.registration import add_user
from domain.handlers.squads import add_squad, refuse_known_squad
from domain.reads import Reads
from domain.rejections import Rejected
from domain.state import Squad, State
from domain.values import SquadStatus, email_key

SQUAD_PART = "squad"
"""What the optional part of the command is called in its outcome."""


def read_for_onboard_user(command: OnboardUser, reads: Reads) -> None:
    """The roots of the user and of the squad, both of which get events, and whoever has the e-mail."""
    reads.user_to_change(command.user_id)
    reads.emails.add(email_key(command.email))
    reads.squad_to_change(command.squad_id)


def onboard_user(state: State, command: OnboardUser, given: Given) -> Decided:
    """A new user owns a new squad; where the squad is optional and refused, the user stays without it.

    A squad whose owner has just been registered can be refused for its id only. That is checked first, because a
    rejection must come before any change; what the guide needs a savepoint for needs none here.
    """
    try:
        refuse_known_squad(state, command.squad_id)
    except Rejected as refusal:
        if not command.squad_optional:
            raise
        events = add_user(state, command.user_id, command.email, command.name, given)
        return Answer(events=events, refused={SQUAD_PART: refusal.code})
    registered = add_user(state, command.user_id, command.email, command.name, given)
    squad = Squad(
        id=command.squad_id,
        user_id=command.user_id,
        name=command.squad_name,
        description=command.description,
        status=SquadStatus.ACTIVE,
        created_at=given.now,
    )
    return [*registered, *add_squad(state, squad, command.roles, given)]
