# ruff: noqa: INP001 - documents are no room, so they are no package either
"""A stream: the states of what is in it, its commands, its events and why its commands are refused."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

from docs.parts.causes import Causes, causes_of
from docs.parts.tables import table
from domain import state, values
from domain.events import EmailChanged
from domain.streams import StreamKind
from domain.tables import RULES
from domain.transitions import Transition
from messages.registry import COMMANDS, EVENTS, MessageType

MESSAGES: Final = "../messages.md"

BEGINNINGS: Final[Mapping[type[StrEnum], frozenset[type[Any]]]] = {
    values.UserStatus: frozenset({state.User}),
    values.EmailStatus: frozenset({state.User, EmailChanged}),
    values.SquadStatus: frozenset({state.Squad}),
    values.MemberStatus: frozenset({state.Member}),
    values.ProjectStatus: frozenset({state.Project}),
    values.TaskStatus: frozenset({state.Task}),
    values.FeedbackStatus: frozenset({state.Feedback}),
}
"""Which things begin in the first of these states when they are made, and which events let it begin again."""


def render_user() -> str:
    """Give the stream of a user."""
    return _render(StreamKind.USER)


def render_squad() -> str:
    """Give the stream of a squad."""
    return _render(StreamKind.SQUAD)


def _render(kind: StreamKind) -> str:
    commands = [message for message in COMMANDS.values() if message.form.stream_kind is kind]
    events = [message for message in EVENTS.values() if message.form.stream_kind is kind]
    return "\n\n".join(
        [
            "## States",
            _diagram(commands),
            "## Commands",
            table(("command", "what it does", "states", "events", "refused with"), map(_command_line, commands)),
            "## Events",
            table(("event", "what happened", "caused by"), map(_event_line, events)),
        ]
    )


def _causes(message: MessageType) -> Causes:
    return causes_of(RULES[message.form])


def _command_line(message: MessageType) -> Sequence[str]:
    causes = _causes(message)
    changes = [_change(transition) for transition in causes.transitions]
    changes += [_summary(sweep).rstrip(".").lower() for sweep in causes.sweeps]
    return (
        _linked(message),
        _summary(message.form),
        "; ".join(changes),
        _listed(_linked(EVENTS[event]) for event in causes.events),
        _listed(f"`{code}`" for code in causes.codes),
    )


def _event_line(message: MessageType) -> Sequence[str]:
    causing = [each for each in COMMANDS.values() if message.form in _causes(each).events]
    return _linked(message), _summary(message.form), _listed(map(_linked, causing))


# The diagram


def _diagram(commands: Iterable[MessageType]) -> str:
    """Give one diagram with a machine for each kind of thing."""
    machines: dict[type[StrEnum], list[str]] = {}
    for message in commands:
        for transition in _causes(message).transitions:
            edges = machines.setdefault(type(transition.leads_to), [])
            edges += [_edge(_node(each), transition.leads_to, message.form.__name__) for each in transition.allowed]
    lines = ["```mermaid", "stateDiagram-v2"]
    for states, edges in machines.items():
        lines += _machine(states, edges)
    return "\n".join([*lines, "```"])


def _machine(states: type[StrEnum], edges: Iterable[str]) -> Iterator[str]:
    yield f"    state {_thing(states)} {{"
    yield _edge("[*]", next(iter(states)), _listed(_beginning(states)))
    for each in states:
        yield f"        {_node(each)}: {each}"
    yield from edges
    yield "    }"


def _beginning(states: type[StrEnum]) -> Iterator[str]:
    for message in COMMANDS.values():
        causes = _causes(message)
        if BEGINNINGS[states].intersection([*causes.made, *causes.events]):
            yield message.form.__name__


def _edge(begin: str, end: StrEnum, name: str) -> str:
    return f"        {begin} --> {_node(end)}: {name}"


def _node(each: StrEnum) -> str:
    return f"{_thing(type(each))}_{each.name.lower()}"


def _thing(states: type[StrEnum]) -> str:
    return states.__name__.removesuffix("Status")


def _change(transition: Transition[Any]) -> str:
    thing = _thing(type(transition.leads_to)).lower()
    return f"{thing}: {_listed(transition.allowed)} → {transition.leads_to}"


# Words


def _summary(form: type[Any]) -> str:
    return (form.__doc__ or "").strip().partition("\n")[0]


def _linked(message: MessageType) -> str:
    return f"[`{message.name}`]({MESSAGES}#{message.name.replace('.', '')})"


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words)
