"""The rules of a squad itself."""

from dataclasses import replace

import pytest

from domain import commands
from domain.events import (
    NewMember,
    SquadCreated,
    SquadDescribed,
    SquadDisbanded,
    SquadOwnershipTransferred,
    SquadRenamed,
)
from domain.rejections import Code
from domain.state import State
from domain.sweeps import CancelOpenTasksOfSquad, CountOpenTasksOfSquad, Swept
from domain.values import SquadStatus
from messages.registry import COMMANDS
from tests import making
from tests.contracts.examples import EXAMPLES
from tests.making import NOON, new_id
from tests.unit.domain.deciding import GIVEN, decide, refused, sweep_rule

MAKE_SQUADS = {"squad.create.v1", "squad.onboard-user.v1"}

REFUSED_WHEN_DISBANDED = {
    **dict.fromkeys(MAKE_SQUADS, Code.SQUAD_EXISTS),
    "squad.disband.v1": Code.CANNOT_DISBAND_DISBANDED_SQUAD,
}
"""What a disbanded squad refuses with another code than everything else."""


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


def test_squad_is_renamed_and_described(world):
    state, _, squad_id = world
    rename = commands.RenameSquad(squad_id=squad_id, name="Blue")
    describe = commands.DescribeSquad(squad_id=squad_id, description="The second")

    assert [*decide(state, rename)] == [SquadRenamed(squad_id=squad_id, name="Blue")]
    assert [*decide(state, describe)] == [SquadDescribed(squad_id=squad_id, description="The second")]
    assert (state.squads[squad_id].name, state.squads[squad_id].description) == ("Blue", "The second")
    assert refused(state, rename) is Code.SAME_NAME
    assert refused(state, describe) is Code.SAME_DESCRIPTION

    assert [*decide(state, commands.DescribeSquad(squad_id=squad_id))] == [SquadDescribed(squad_id=squad_id)]
    assert state.squads[squad_id].description is None


@pytest.mark.parametrize(
    ("cancel", "sweep"), [(True, CancelOpenTasksOfSquad), (False, CountOpenTasksOfSquad)], ids=["cancel", "refuse"]
)
def test_squad_without_open_tasks_is_disbanded(world, cancel, sweep):
    state, _, squad_id = world
    disband = commands.DisbandSquad(squad_id=squad_id, cancel_open_tasks=cancel)

    assert sweep_rule(disband).sweep(state, disband, GIVEN) == sweep(squad_id=squad_id)
    assert state.squads[squad_id].status == "active"
    [event] = sweep_rule(disband).tell(state, disband, GIVEN, Swept(count=0, ids=()))

    assert event == SquadDisbanded(squad_id=squad_id, disbanded_at=NOON, cancelled_count=0, cancelled_task_ids=())
    assert state.squads[squad_id].status == "disbanded"


def test_open_tasks_keep_a_squad_unless_they_are_cancelled(world):
    state, _, squad_id = world
    disband = commands.DisbandSquad(squad_id=squad_id)
    found = Swept(count=1_001, ids=None)

    assert refused(state, disband, found) is Code.SQUAD_HAS_OPEN_TASKS
    disband = commands.DisbandSquad(squad_id=squad_id, cancel_open_tasks=True)
    [event] = sweep_rule(disband).tell(state, disband, GIVEN, found)

    assert event == SquadDisbanded(squad_id=squad_id, disbanded_at=NOON, cancelled_count=1_001)


@pytest.mark.parametrize("name", [name for name, message in COMMANDS.items() if message.form.stream_kind == "squad"])
def test_disbanded_squad_refuses_every_command(world, name):
    state, _, squad_id = world
    state.squads[squad_id].status = SquadStatus.DISBANDED
    command = replace(EXAMPLES[name], squad_id=squad_id)

    if isinstance(command, commands.OnboardUser):
        command = replace(command, squad_optional=False)
    assert refused(state, command) is REFUSED_WHEN_DISBANDED.get(name, Code.SQUAD_DISBANDED)


@pytest.mark.parametrize("name", [name for name, message in COMMANDS.items() if message.form.stream_kind == "squad"])
def test_unknown_squad_refuses_every_command_but_those_that_make_it(name):
    if name not in MAKE_SQUADS:
        assert refused(State(), EXAMPLES[name]) is Code.SQUAD_NOT_FOUND
