"""The rules of a squad's members."""

from collections.abc import Sequence

from domain.commands import AddSquadMembers, ChangeMemberRole, RemoveMember, SeatUser, UnseatUser
from domain.events import (
    Event,
    MemberRemoved,
    MemberRoleChanged,
    SquadMembersAdded,
    UserSeated,
    UserUnseated,
)
from domain.given import Given
from domain.handlers.squads import add_seats, find_squad
from domain.handlers.users import find_active_user
from domain.reads import Reads
from domain.rejections import Code, Rejected
from domain.state import Member, State
from domain.sweeps import Sweep, Swept, UnassignOpenTasks
from domain.transitions import REMOVE
from domain.values import MemberId, MemberStatus, SquadId


def find_member_in_any_state(state: State, squad_id: SquadId, member_id: MemberId) -> Member:
    """Give a member of this squad, removed or not.

    Raises:
        Rejected: `member-not-found`, also when the member belongs to another squad.
    """
    member = state.members.get(member_id)
    if member is None or member.squad_id != squad_id:
        raise Rejected(Code.MEMBER_NOT_FOUND, f"Member {member_id} not found")
    return member


def find_member(state: State, squad_id: SquadId, member_id: MemberId) -> Member:
    """Give a member of this squad.

    Raises:
        Rejected: `member-not-found`, also when the member belongs to another squad, or `member-removed`.
    """
    member = find_member_in_any_state(state, squad_id, member_id)
    if member.status is MemberStatus.REMOVED:
        raise Rejected(Code.MEMBER_REMOVED, f"Member {member_id} was removed")
    return member


def read_for_add_squad_members(command: AddSquadMembers, reads: Reads) -> None:
    """The squad."""
    reads.squad_to_change(command.squad_id)


def add_squad_members(state: State, command: AddSquadMembers, given: Given) -> Sequence[Event]:
    """One seat for each role, in order."""
    squad = find_squad(state, command.squad_id)
    members = add_seats(state, squad.id, command.roles, given)
    return [SquadMembersAdded(squad_id=squad.id, members=members, added_at=given.now)]


def read_for_change_member_role(command: ChangeMemberRole, reads: Reads) -> None:
    """The squad and the member."""
    reads.squad_to_change(command.squad_id)
    reads.members.add(command.member_id)


def change_member_role(state: State, command: ChangeMemberRole, given: Given) -> Sequence[Event]:
    """The role must be another one."""
    squad = find_squad(state, command.squad_id)
    member = find_member(state, squad.id, command.member_id)
    if member.role == command.role:
        raise Rejected(Code.SAME_ROLE, "The member has this role already")
    member.role = command.role
    return [MemberRoleChanged(squad_id=squad.id, member_id=member.id, role=command.role)]


def read_for_seat_user(command: SeatUser, reads: Reads) -> None:
    """The squad, the member and the user."""
    reads.squad_to_change(command.squad_id)
    reads.members.add(command.member_id)
    reads.user_to_read(command.user_id)


def seat_user(state: State, command: SeatUser, given: Given) -> Sequence[Event]:
    """The seat must be free and the user active; who has other seats may have this one, too."""
    squad = find_squad(state, command.squad_id)
    member = find_member(state, squad.id, command.member_id)
    if member.user_id is not None:
        raise Rejected(Code.SEAT_TAKEN, f"The seat of member {member.id} is taken, so no user can be seated")
    find_active_user(state, command.user_id)
    member.user_id = command.user_id
    return [UserSeated(squad_id=squad.id, member_id=member.id, user_id=command.user_id)]


def read_for_unseat_user(command: UnseatUser, reads: Reads) -> None:
    """The squad and the member."""
    reads.squad_to_change(command.squad_id)
    reads.members.add(command.member_id)


def unseat_user(state: State, command: UnseatUser, given: Given) -> Sequence[Event]:
    """Somebody must have the seat, active or not; the member stays, and so do its tasks."""
    squad = find_squad(state, command.squad_id)
    member = find_member(state, squad.id, command.member_id)
    if member.user_id is None:
        raise Rejected(Code.SEAT_EMPTY, f"The seat of member {member.id} is empty, so nobody can be unseated")
    user_id, member.user_id = member.user_id, None
    return [UserUnseated(squad_id=squad.id, member_id=member.id, user_id=user_id)]


def read_for_remove_member(command: RemoveMember, reads: Reads) -> None:
    """The squad and the member; of its tasks only the database knows."""
    reads.squad_to_change(command.squad_id)
    reads.members.add(command.member_id)


def sweep_removed_members_tasks(state: State, command: RemoveMember, given: Given) -> Sweep:
    """The open tasks of a member of this squad; closed ones keep whose they were."""
    squad = find_squad(state, command.squad_id)
    member = find_member_in_any_state(state, squad.id, command.member_id)
    REMOVE.check("Member", member.id, member.status)
    return UnassignOpenTasks(member_id=member.id)


def tell_member_removed(state: State, command: RemoveMember, given: Given, swept: Swept) -> Sequence[Event]:
    """One event, however many tasks; who had the seat is kept with it."""
    state.members[command.member_id].removed_at = given.now
    return [
        MemberRemoved(
            squad_id=command.squad_id,
            member_id=command.member_id,
            removed_at=given.now,
            unassigned_count=swept.count,
            unassigned_task_ids=swept.ids,
        )
    ]
