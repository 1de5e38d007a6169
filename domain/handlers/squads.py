"""The rules of a squad itself."""

from collections.abc import Iterable, Sequence

from domain.commands import CreateSquad, DescribeSquad, DisbandSquad, RenameSquad, TransferSquadOwnership
from domain.events import (
    Event,
    NewMember,
    SquadCreated,
    SquadDescribed,
    SquadDisbanded,
    SquadOwnershipTransferred,
    SquadRenamed,
)
from domain.given import Given
from domain.handlers.users import find_active_user
from domain.reads import Reads
from domain.rejections import Code, Rejected
from domain.state import Member, Squad, State
from domain.sweeps import CancelOpenTasksOfSquad, CountOpenTasksOfSquad, Sweep, Swept
from domain.transitions import DISBAND
from domain.values import Role, SquadId, SquadStatus


def find_squad_in_any_state(state: State, squad_id: SquadId) -> Squad:
    """Give a squad that exists, disbanded or not.

    Raises:
        Rejected: `squad-not-found`.
    """
    squad = state.squads.get(squad_id)
    if squad is None:
        raise Rejected(Code.SQUAD_NOT_FOUND, "Squad not found")
    return squad


def find_squad(state: State, squad_id: SquadId) -> Squad:
    """Give a squad that exists and works.

    Raises:
        Rejected: `squad-not-found` or `squad-disbanded`.
    """
    squad = find_squad_in_any_state(state, squad_id)
    if squad.status is SquadStatus.DISBANDED:
        raise Rejected(Code.SQUAD_DISBANDED, f"Squad {squad_id} is disbanded, so nothing in it can be changed")
    return squad


def refuse_known_squad(state: State, squad_id: SquadId) -> None:
    """See that a squad's id is new.

    Raises:
        Rejected: `squad-exists`, also when it is disbanded.
    """
    if squad_id in state.squads:
        raise Rejected(Code.SQUAD_EXISTS, f"Squad {squad_id} already exists")


def add_squad(state: State, squad: Squad, roles: Iterable[Role], given: Given) -> Sequence[Event]:
    """Make a squad known whose id is new and whose owner is active, with a seat for each role."""
    state.squads[squad.id] = squad
    return [
        SquadCreated(
            squad_id=squad.id,
            user_id=squad.user_id,
            name=squad.name,
            description=squad.description,
            members=add_seats(state, squad.id, roles, given),
            created_at=squad.created_at,
        )
    ]


def add_seats(state: State, squad_id: SquadId, roles: Iterable[Role], given: Given) -> tuple[NewMember, ...]:
    """Give a squad a free seat for each role, in order."""
    members = tuple(NewMember(member_id=given.new_id("member", index), role=role) for index, role in enumerate(roles))
    for member in members:
        state.members[member.member_id] = Member(
            id=member.member_id,
            squad_id=squad_id,
            user_id=None,
            role=member.role,
            name=None,
            created_at=given.now,
        )
    return members


def read_for_create_squad(command: CreateSquad, reads: Reads) -> None:
    """The squad's own root and its owner."""
    reads.squad_to_change(command.squad_id)
    reads.user_to_read(command.user_id)


def create_squad(state: State, command: CreateSquad, given: Given) -> Sequence[Event]:
    """A squad needs an active owner; its first members are seats, one for each role, in order."""
    refuse_known_squad(state, command.squad_id)
    find_active_user(state, command.user_id)
    squad = Squad(
        id=command.squad_id,
        user_id=command.user_id,
        name=command.name,
        description=command.description,
        status=SquadStatus.ACTIVE,
        created_at=given.now,
    )
    return add_squad(state, squad, command.roles, given)


def read_for_rename_squad(command: RenameSquad, reads: Reads) -> None:
    """The squad."""
    reads.squad_to_change(command.squad_id)


def rename_squad(state: State, command: RenameSquad, given: Given) -> Sequence[Event]:
    """The name must be another one."""
    squad = find_squad(state, command.squad_id)
    if squad.name == command.name:
        raise Rejected(Code.SAME_NAME, "The squad has this name already")
    squad.name = command.name
    return [SquadRenamed(squad_id=squad.id, name=command.name)]


def read_for_describe_squad(command: DescribeSquad, reads: Reads) -> None:
    """The squad."""
    reads.squad_to_change(command.squad_id)


def describe_squad(state: State, command: DescribeSquad, given: Given) -> Sequence[Event]:
    """The description must be another one; none is one, too."""
    squad = find_squad(state, command.squad_id)
    if squad.description == command.description:
        raise Rejected(Code.SAME_DESCRIPTION, "The squad has this description already")
    squad.description = command.description
    return [SquadDescribed(squad_id=squad.id, description=command.description)]


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


def read_for_disband_squad(command: DisbandSquad, reads: Reads) -> None:
    """The squad; of its tasks only the database knows."""
    reads.squad_to_change(command.squad_id)


def sweep_disbanded_squad(state: State, command: DisbandSquad, given: Given) -> Sweep:
    """The open tasks of the squad are cancelled, or only counted, as the command says."""
    squad = find_squad_in_any_state(state, command.squad_id)
    DISBAND.check("Squad", squad.id, squad.status)
    if command.cancel_open_tasks:
        return CancelOpenTasksOfSquad(squad_id=squad.id)
    return CountOpenTasksOfSquad(squad_id=squad.id)


def tell_squad_disbanded(state: State, command: DisbandSquad, given: Given, swept: Swept) -> Sequence[Event]:
    """Open tasks that were only counted refuse it. Members, projects and closed tasks stay as they are."""
    if swept.count and not command.cancel_open_tasks:
        raise Rejected(Code.SQUAD_HAS_OPEN_TASKS, f"Squad {command.squad_id} has open tasks: {swept.count}")
    state.squads[command.squad_id].status = DISBAND.leads_to
    return [
        SquadDisbanded(
            squad_id=command.squad_id,
            disbanded_at=given.now,
            cancelled_count=swept.count,
            cancelled_task_ids=swept.ids,
        )
    ]
