# ruff: noqa: INP001 - documents are no room, so they are no package either
"""A stream: the states of what is in it, its commands, its events and why its commands are refused."""

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import Any, Final

from docs.parts.causes import Causes, causes_of
from docs.parts.tables import table
from domain.streams import StreamKind
from domain.tables import RULES
from domain.transitions import Transition
from messages.registry import COMMANDS, EVENTS, MessageType

MESSAGES: Final = "../messages.md"


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
    """Give one diagram with a machine for each kind of thing; new things begin in its first state."""
    machines: dict[type[StrEnum], list[tuple[StrEnum, Transition[Any], MessageType]]] = {}
    for message in commands:
        for transition in _causes(message).transitions:
            states = type(transition.leads_to)
            machines.setdefault(states, [])
            machines[states] += [(state, transition, message) for state in _allowed(transition)]
    lines = ["```mermaid", "stateDiagram-v2"]
    for states, edges in machines.items():
        lines += _machine(states, edges)
    return "\n".join([*lines, "```"])


def _machine(states: type[StrEnum], edges: Sequence[tuple[StrEnum, Transition[Any], MessageType]]) -> Iterator[str]:
    name = states.__name__.removesuffix("Status")
    yield f"    state {name} {{"
    yield f"        [*] --> {_node(name, next(iter(states)))}"
    for state in states:
        yield f"        {_node(name, state)}: {state}"
    for state, transition, message in edges:
        yield f"        {_node(name, state)} --> {_node(name, transition.leads_to)}: {message.form.__name__}"
    yield "    }"


def _node(machine: str, state: StrEnum) -> str:
    return f"{machine}_{state.name.lower()}"


def _allowed(transition: Transition[Any]) -> list[StrEnum]:
    return [state for state in type(transition.leads_to) if state not in transition.refusals]


def _change(transition: Transition[Any]) -> str:
    thing = type(transition.leads_to).__name__.removesuffix("Status").lower()
    return f"{thing}: {_listed(_allowed(transition))} → {transition.leads_to}"


# Words


def _summary(form: type[Any]) -> str:
    return (form.__doc__ or "").strip().partition("\n")[0]


def _linked(message: MessageType) -> str:
    return f"[`{message.name}`]({MESSAGES}#{message.name.replace('.', '')})"


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words)
