"""The rule of onboarding: a user and a squad, or the user alone where the squad is optional."""

from dataclasses import replace

from domain.answers import Answer
from domain.commands import OnboardUser
from domain.events import NewMember, SquadCreated, UserRegistered
from domain.rejections import Code
from domain.state import State
from domain.values import PlanTier
from tests.making import NOON, new_id
from tests.unit.domain.deciding import GIVEN, answer, decide, refused


def onboard(**fields: str) -> OnboardUser:
    given = {"squad_id": new_id(), "user_id": new_id(), "email": "kim@example.org", "name": "Kim", "squad_name": "Red"}
    return OnboardUser(**(given | fields), description="First", roles=("developer",), squad_optional=False)


def test_user_and_squad_begin_together():
    state, command = State(), onboard()

    events = decide(state, command)

    assert [*events] == [
        UserRegistered(user_id=command.user_id, plan_tier=PlanTier.FREE, registered_at=NOON),
        SquadCreated(
            squad_id=command.squad_id,
            user_id=command.user_id,
            name="Red",
            description="First",
            members=(NewMember(member_id=GIVEN.new_id("member", 0), role="developer"),),
            created_at=NOON,
        ),
    ]
    assert (state.users[command.user_id].email, state.users[command.user_id].name) == ("kim@example.org", "Kim")
    assert state.squads[command.squad_id].user_id == command.user_id


def test_without_the_squad_there_is_no_user_unless_the_squad_is_optional(world):
    state, _, squad_id = world
    command = onboard(squad_id=squad_id)

    assert refused(state, command) is Code.SQUAD_EXISTS
    given = answer(state, replace(command, squad_optional=True))

    assert given == Answer(
        events=[UserRegistered(user_id=command.user_id, plan_tier=PlanTier.FREE, registered_at=NOON)],
        refused={"squad": Code.SQUAD_EXISTS},
    )
    assert state.squads[squad_id].user_id != command.user_id


def test_without_the_user_there_is_nothing_even_if_the_squad_is_optional(world):
    state, user_id, squad_id = world
    taken = state.users[user_id].email
    for optional in (True, False):
        for squad in (squad_id, new_id()):
            known = replace(onboard(squad_id=squad, user_id=user_id), squad_optional=optional)
            rival = replace(onboard(squad_id=squad, email=taken), squad_optional=optional)
            if squad != squad_id or optional:
                assert refused(state, known) is Code.USER_EXISTS
                assert refused(state, rival) is Code.EMAIL_TAKEN
