"""The rules of a squad's members."""

import pytest

from domain import commands
from domain.events import MemberRemoved, MemberRoleChanged, NewMember, SquadMembersAdded, UserSeated, UserUnseated
from domain.rejections import Code
from domain.state import State
from domain.sweeps import Swept, UnassignOpenTasks
from tests import making
from tests.making import NOON, new_id
from tests.unit.domain.deciding import GIVEN, decide, refused, sweep_rule


@pytest.fixture
def seat(world) -> tuple[State, str, str, str]:
    """A state with one active user, who owns one squad, which has one free seat."""
    state, user_id, squad_id = world
    [member_id] = state.members
    return state, user_id, squad_id, member_id


def test_members_are_added_one_for_each_role(world):
    state, _, squad_id = world
    state.members.clear()

    [event] = decide(state, commands.AddSquadMembers(squad_id=squad_id, roles=("tester", "tester", "writer")))

    expected = [GIVEN.new_id("member", index) for index in range(3)]
    roles = ("tester", "tester", "writer")
    assert event == SquadMembersAdded(
        squad_id=squad_id,
        members=tuple(NewMember(member_id=each, role=role) for each, role in zip(expected, roles, strict=True)),
        added_at=NOON,
    )
    assert [(each.id, each.squad_id, each.role, each.user_id) for each in state.members.values()] == [
        (each, squad_id, role, None) for each, role in zip(expected, roles, strict=True)
    ]


def test_member_gets_another_role(seat):
    state, _, squad_id, member_id = seat
    to_tester = commands.ChangeMemberRole(squad_id=squad_id, member_id=member_id, role="tester")

    [event] = decide(state, to_tester)

    assert event == MemberRoleChanged(squad_id=squad_id, member_id=member_id, role="tester")
    assert state.members[member_id].role == "tester"
    assert refused(state, to_tester) is Code.SAME_ROLE


def test_seat_is_taken_by_one_active_user_until_it_is_freed(seat):
    state, user_id, squad_id, member_id = seat
    decide(state, making.register_user(other := new_id()))
    unseat = commands.UnseatUser(squad_id=squad_id, member_id=member_id)

    assert refused(state, unseat) is Code.SEAT_EMPTY
    [seated] = decide(state, commands.SeatUser(squad_id=squad_id, member_id=member_id, user_id=user_id))
    assert seated == UserSeated(squad_id=squad_id, member_id=member_id, user_id=user_id)
    assert state.members[member_id].user_id == user_id
    for each in (user_id, other):
        seat_again = commands.SeatUser(squad_id=squad_id, member_id=member_id, user_id=each)
        assert refused(state, seat_again) is Code.SEAT_TAKEN

    state.users[user_id].is_active = False
    [unseated] = decide(state, unseat)
    assert unseated == UserUnseated(squad_id=squad_id, member_id=member_id, user_id=user_id)
    assert state.members[member_id].user_id is None


def test_seat_needs_a_user_who_exists_and_is_active(seat):
    state, user_id, squad_id, member_id = seat

    assert (
        refused(state, commands.SeatUser(squad_id=squad_id, member_id=member_id, user_id=new_id()))
        is Code.USER_NOT_FOUND
    )
    state.users[user_id].is_active = False
    assert (
        refused(state, commands.SeatUser(squad_id=squad_id, member_id=member_id, user_id=user_id)) is Code.USER_INACTIVE
    )


def test_removing_a_member_asks_for_its_open_tasks_and_tells_them(seat):
    state, user_id, squad_id, member_id = seat
    decide(state, commands.SeatUser(squad_id=squad_id, member_id=member_id, user_id=user_id))
    remove = commands.RemoveMember(squad_id=squad_id, member_id=member_id)

    sweep = sweep_rule(remove).sweep(state, remove, GIVEN)
    assert sweep == UnassignOpenTasks(member_id=member_id)
    assert state.members[member_id].removed_at is None

    [event] = sweep_rule(remove).tell(state, remove, GIVEN, Swept(count=1, ids=(task_id := new_id(),)))
    assert event == MemberRemoved(
        squad_id=squad_id,
        member_id=member_id,
        removed_at=NOON,
        unassigned_count=1,
        unassigned_task_ids=(task_id,),
    )
    assert (state.members[member_id].removed_at, state.members[member_id].user_id) == (NOON, user_id)


def on_member(squad_id: str, member_id: str, user_id: str) -> list[commands.Command]:
    """Every command on a member."""
    return [
        commands.ChangeMemberRole(squad_id=squad_id, member_id=member_id, role="tester"),
        commands.SeatUser(squad_id=squad_id, member_id=member_id, user_id=user_id),
        commands.UnseatUser(squad_id=squad_id, member_id=member_id),
        commands.RemoveMember(squad_id=squad_id, member_id=member_id),
    ]


def test_members_that_are_gone_unknown_or_another_squads_are_refused(seat):
    state, user_id, squad_id, member_id = seat
    decide(state, making.create_squad(user_id, other := new_id(), roles=()))

    for command in on_member(other, member_id, user_id) + on_member(squad_id, new_id(), user_id):
        assert refused(state, command) is Code.MEMBER_NOT_FOUND
    state.members[member_id].removed_at = NOON
    for command in on_member(squad_id, member_id, user_id):
        removing = isinstance(command, commands.RemoveMember)
        assert refused(state, command) is (Code.CANNOT_REMOVE_REMOVED_MEMBER if removing else Code.MEMBER_REMOVED)
