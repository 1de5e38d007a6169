"""Deciding commands by hand, without a database: commands in, events or a rejection out."""

from collections.abc import Sequence

import pytest

from domain import commands
from domain.answers import Answer
from domain.events import Event
from domain.given import Given
from domain.rejections import Code, Rejected
from domain.state import State
from domain.sweeps import Swept
from domain.tables import RULES, Rule, SweepRule
from messages import ids
from tests.making import NOON

GIVEN = Given(NOON, ids.CommandIds("/tests", "1").new)


def answer(state: State, command: commands.Command) -> Answer:
    """Decide a command that is answered from what was loaded."""
    rule = RULES[type(command)]
    assert isinstance(rule, Rule)
    decided = rule.decide(state, command, GIVEN)
    return decided if isinstance(decided, Answer) else Answer(events=decided)


def decide(state: State, command: commands.Command) -> Sequence[Event]:
    """Decide a command that its events say all of, and give them."""
    given = answer(state, command)
    assert (given.found, given.refused) == ({}, {})
    return given.events


def refused(state: State, command: commands.Command, swept: Swept | None = None) -> Code:
    """Decide a command that a rule refuses, and give the code; the state must be as before.

    Args:
        swept: what its sweep found, where it is refused for that.
    """
    before = repr(state)
    with pytest.raises(Rejected) as rejection:
        _decide_anyhow(state, command, swept)
    assert repr(state) == before, "a rejection must come before any change"
    return rejection.value.code


def _decide_anyhow(state: State, command: commands.Command, swept: Swept | None) -> None:
    match RULES[type(command)]:
        case Rule() as rule:
            rule.decide(state, command, GIVEN)
        case SweepRule() as rule if swept is None:
            rule.sweep(state, command, GIVEN)
        case SweepRule() as rule:
            assert swept is not None
            rule.tell(state, command, GIVEN, swept)


def sweep_rule(command: commands.Command) -> SweepRule:
    """Give the rule of a command that sweeps."""
    rule = RULES[type(command)]
    assert isinstance(rule, SweepRule)
    return rule
