"""Commands that fail as a fault of ours would: those of a certain name."""

from typing import Any, Final

import pytest

from domain.tables import RULES, Rule

POISON: Final = "Poison"


def poison(patch: pytest.MonkeyPatch, name: str = POISON) -> None:
    """Let every command of a name fail; `undo` is the fix that is deployed."""
    for form, rule in RULES.items():
        if isinstance(rule, Rule):
            patch.setitem(RULES, form, Rule(rule.read, _failing(rule, name)))


def _failing(rule: Rule, name: str) -> Any:
    def decide(state: Any, command: Any, given: Any) -> Any:
        if getattr(command, "name", None) == name:
            raise ZeroDivisionError(f"a fault of ours with {command.name}")
        return rule.decide(state, command, given)

    return decide
