"""The rules of a squad itself."""

from collections.abc import Sequence

from domain.commands import CreateSquad, TransferSquadOwnership
from domain.events import Event, NewMember, SquadCreated, SquadOwnershipTransferred
from domain.given import Given
from domain.handlers.users import find_active_user
from domain.reads import Reads
from domain.rejections import Code, Rejected
from domain.state import Member, Squad, State
from domain.values import SquadId, SquadStatus


def find_squad(state: State, squad_id: SquadId) -> Squad:
    """Give a squad that exists.

    Raises:
        Rejected: `squad-not-found`.
    """
    squad = state.squads.get(squad_id)
    if squad is None:
        raise Rejected(Code.SQUAD_NOT_FOUND, "Squad not found")
    return squad


def read_for_create_squad(command: CreateSquad, reads: Reads) -> None:
    """The squad's own root and its owner."""
    reads.squad_to_change(command.squad_id)
    reads.user_to_read(command.user_id)


def create_squad(state: State, command: CreateSquad, given: Given) -> Sequence[Event]:
    """A squad needs an active owner; its first members are seats, one for each role, in order."""
    if command.squad_id in state.squads:
        raise Rejected(Code.SQUAD_EXISTS, f"Squad {command.squad_id} already exists")
    find_active_user(state, command.user_id)
    state.squads[command.squad_id] = Squad(
        id=command.squad_id,
        user_id=command.user_id,
        name=command.name,
        description=command.description,
        status=SquadStatus.ACTIVE,
        created_at=given.now,
    )
    members = tuple(
        NewMember(member_id=given.new_id("member", index), role=role) for index, role in enumerate(command.roles)
    )
    for member in members:
        state.members[member.member_id] = Member(
            id=member.member_id,
            squad_id=command.squad_id,
            user_id=None,
            role=member.role,
            name=None,
            created_at=given.now,
        )
    return [
        SquadCreated(
            squad_id=command.squad_id,
            user_id=command.user_id,
            name=command.name,
            description=command.description,
            members=members,
            created_at=given.now,
        )
    ]


def read_for_transfer_squad_ownership(command: TransferSquadOwnership, reads: Reads) -> None:
    """The squad and its new owner."""
    reads.squad_to_change(command.squad_id)
    reads.user_to_read(command.new_owner_id)


def transfer_squad_ownership(state: State, command: TransferSquadOwnership, given: Given) -> Sequence[Event]:
    """The new owner must be another one, must exist and be active."""
    squad = find_squad(state, command.squad_id)
    if squad.user_id == command.new_owner_id:
        raise Rejected(Code.SAME_OWNER, "The squad belongs to this user already")
    find_active_user(state, command.new_owner_id)
    previous_owner_id = squad.user_id
    squad.user_id = command.new_owner_id
    return [
        SquadOwnershipTransferred(squad_id=squad.id, from_user_id=previous_owner_id, to_user_id=command.new_owner_id)
    ]
