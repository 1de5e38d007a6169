"""The rules of a squad itself."""

from domain.events import NewMember, SquadCreated, SquadOwnershipTransferred
from domain.rejections import Code
from domain.state import State
from tests import making
from tests.making import NOON, new_id
from tests.unit.domain.deciding import GIVEN, decide, refused


def test_squad_gets_a_member_for_each_role_with_derived_ids():
    state, user_id, squad_id = State(), new_id(), new_id()
    decide(state, making.register_user(user_id))

    [event] = decide(state, making.create_squad(user_id, squad_id, roles=("developer", "developer", "tester")))

    expected = [GIVEN.new_id("member", index) for index in range(3)]
    assert isinstance(event, SquadCreated)
    assert event.members == tuple(
        NewMember(member_id=each, role=role)
        for each, role in zip(expected, ("developer", "developer", "tester"), strict=True)
    )
    assert [*state.members] == expected


def test_squad_needs_an_owner_who_exists_and_is_active(world):
    state, user_id, squad_id = world

    assert refused(state, making.create_squad(new_id())) is Code.USER_NOT_FOUND
    assert refused(state, making.create_squad(user_id, squad_id)) is Code.SQUAD_EXISTS
    state.users[user_id].is_active = False
    assert refused(state, making.create_squad(user_id)) is Code.USER_INACTIVE
    state.users[user_id].erased_at = NOON
    assert refused(state, making.create_squad(user_id)) is Code.USER_NOT_FOUND


def test_transfer_gives_the_squad_to_another_active_user(world):
    state, user_id, squad_id = world
    other = new_id()
    decide(state, making.register_user(other))

    events = decide(state, making.transfer(squad_id, other))

    assert [*events] == [SquadOwnershipTransferred(squad_id=squad_id, from_user_id=user_id, to_user_id=other)]
    assert state.squads[squad_id].user_id == other


def test_transfer_refuses_what_makes_no_sense(world):
    state, user_id, squad_id = world

    assert refused(state, making.transfer(new_id(), user_id)) is Code.SQUAD_NOT_FOUND
    assert refused(state, making.transfer(squad_id, user_id)) is Code.SAME_OWNER
    assert refused(state, making.transfer(squad_id, new_id())) is Code.USER_NOT_FOUND
