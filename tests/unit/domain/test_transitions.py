"""State machines refuse with codes that say what was asked of which state."""

import pytest

from docs.parts.causes import causes_of
from domain import transitions
from domain.rejections import RETRYABLE
from domain.tables import RULES
from domain.transitions import NOT_FOUND, Transition

TRANSITIONS = {name: value for name, value in vars(transitions).items() if isinstance(value, Transition)}


@pytest.mark.parametrize("name", TRANSITIONS)
def test_codes_of_a_transition_name_wish_and_state(name):
    transition = TRANSITIONS[name]
    wish = name.partition("_")[0].lower()
    thing = type(transition.leads_to).__name__.removesuffix("Status").lower()

    assert transition.wish[:3] == wish[:3]
    for state, code in transition.refusals.items():
        assert code == f"cannot-{wish}-{state.replace('_', '-')}-{thing}"
        assert code not in RETRYABLE


@pytest.mark.parametrize("name", TRANSITIONS)
def test_transition_is_refused_wherever_it_would_change_nothing(name):
    end = TRANSITIONS[name].leads_to

    assert end in TRANSITIONS[name].refusals or end in NOT_FOUND
    assert end not in TRANSITIONS[name].allowed


@pytest.mark.parametrize("name", TRANSITIONS)
def test_commands_that_lead_to_a_state_are_refused_by_its_transition(name):
    asking = [causes for causes in map(causes_of, RULES.values()) if TRANSITIONS[name] in causes.transitions]

    assert asking
    assert all({*TRANSITIONS[name].refusals.values()} <= {*causes.codes} for causes in asking)
