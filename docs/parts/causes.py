# ruff: noqa: INP001 - documents are no room, so they are no package either
"""Which events a handler can return, which codes it can raise and which states it changes, read from its source."""

import ast
import inspect
from dataclasses import dataclass, field
from functools import cache
from textwrap import dedent
from types import FunctionType
from typing import Any, Final, get_args

from domain import state
from domain.rejections import Code
from domain.sweeps import Sweep
from domain.tables import Rule, SweepRule
from domain.transitions import Transition
from messages.registry import EVENTS

SWEEPS: Final = get_args(Sweep)


@dataclass(slots=True)
class Causes:
    """What a handler can end in, each in the order of the source: the order of the checks."""

    codes: list[Code] = field(default_factory=list)
    events: list[type[Any]] = field(default_factory=list)
    transitions: list[Transition[Any]] = field(default_factory=list)
    made: list[type[Any]] = field(default_factory=list)
    sweeps: list[type[Any]] = field(default_factory=list)


@cache
def causes_of(rule: Rule | SweepRule) -> Causes:
    """Read a rule's functions and what they call among the handlers' modules."""
    causes = Causes()
    for function in (rule.sweep, rule.tell) if isinstance(rule, SweepRule) else (rule.decide,):
        _read(function, causes)
    return causes


def _read(function: Any, causes: Causes) -> None:  # noqa: ANN401 - a function, whose globals are needed
    _Reader(function.__globals__, causes).visit(ast.parse(dedent(inspect.getsource(function))))


class _Reader(ast.NodeVisitor):
    """Visits a function's source in order."""

    def __init__(self, names: dict[str, Any], causes: Causes) -> None:
        self._names = names
        self._causes = causes

    def visit_Call(self, node: ast.Call) -> None:
        """Follow calls of handlers' functions, and note events and things that are made."""
        called = self._names.get(node.func.id) if isinstance(node.func, ast.Name) else None
        if isinstance(called, FunctionType) and called.__module__.startswith("domain.handlers"):
            _read(called, self._causes)
        elif isinstance(called, type) and called in EVENTS and called not in self._causes.events:
            self._causes.events.append(called)
        elif isinstance(called, type) and called in SWEEPS and called not in self._causes.sweeps:
            self._causes.sweeps.append(called)
        elif isinstance(called, type) and called.__module__ == state.__name__ and called not in self._causes.made:
            self._causes.made.append(called)
        self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        """Note codes: a single one, or where a transition is checked those of its state machine."""
        named = self._names.get(node.value.id) if isinstance(node.value, ast.Name) else None
        if named is Code:
            self._note(Code[node.attr])
        elif isinstance(named, Transition) and node.attr == Transition.check.__name__:
            for code in named.refusals.values():
                self._note(code)
        self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        """Note a transition."""
        named = self._names.get(node.id)
        if isinstance(named, Transition) and named not in self._causes.transitions:
            self._causes.transitions.append(named)

    def _note(self, code: Code) -> None:
        if code not in self._causes.codes:
            self._causes.codes.append(code)
