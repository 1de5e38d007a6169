"""What a proxy is told to do to which messages, and what it says it did."""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Literal, Protocol, assert_never

from tests.faults.framing import Direction

How = Literal["reset", "finish"]
"""How a connection is ended: with RST, as by a crashed or restarted router, or with FIN, as by an orderly end."""

Passed = Literal["nothing", "half", "all"]
"""How much of the message is still passed on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message on its way.

    Attributes:
        connection: which of the proxy's, from 1.
        direction: where it goes.
        number: which of its connection, both ways counted together, from 1.
        kind: by its protocol's name, such as "Parse" or "Fetch".
        raw: all of its bytes.
    """

    connection: int
    direction: Direction
    number: int
    kind: str
    raw: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """End the connection at the message, both sides of it.

    A request that is passed on whole may be carried out, and its answer never comes. To be sure that it was, cut at
    the answer: whoever answered has done it.
    """

    passed: Passed = "nothing"
    how: How = "reset"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hole:
    """From this message on nothing passes, not even an end.

    `passed` says what becomes of the message itself, where it goes a way that is swallowed.
    """

    swallows: Collection[Direction] = ("request", "answer")
    passed: Passed = "nothing"


@dataclass(slots=True, kw_only=True)
class Hold:
    """The message waits, and all behind it in its direction, until `go_on` is set."""

    go_on: asyncio.Event = field(default_factory=asyncio.Event)


Action = Cut | Hole | Hold


class Rules(Protocol):
    """Says what to do to which messages."""

    why: str
    """What is special about the message that was taken last."""
    happened: asyncio.Event
    """Set once everything has happened that it asks for."""

    @property
    def action(self) -> Action:
        """What is done to it."""
        ...

    def takes(self, message: Message) -> bool:
        """Tell whether something is done to a message; shown every one, unless an earlier rule has taken it."""
        ...


@dataclass(slots=True, kw_only=True)
class Rule:
    """What to do to the first messages that fit.

    Args:
        when: tells whether a message fits.
        action: what is done to it.
        times: to how many; then the rule is over.
        why: for the evidence.
    """

    when: Callable[[Message], bool]
    action: Action
    times: int = 1
    why: str = ""
    happened: asyncio.Event = field(default_factory=asyncio.Event)

    def takes(self, message: Message) -> bool:
        """Tell whether the message is for this rule, and count it."""
        if not self.times or not self.when(message):
            return False
        self.times -= 1
        if not self.times:
            self.happened.set()
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """What was done to a message: the evidence for a journal.

    Attributes:
        action: in words.
        why: what the rule says of the message.
        connection, direction, number, kind: the message's.
        size_bytes: of the message.
        passed_bytes: how many of them were written to the other side.
    """

    action: str
    why: str
    connection: int
    direction: Direction
    number: int
    kind: str
    size_bytes: int
    passed_bytes: int

    def __str__(self) -> str:
        return (
            f"{self.action} at message {self.number} of connection {self.connection}: {self.direction} {self.kind},"
            f" {self.passed_bytes} of {self.size_bytes} bytes passed on{self.why and f' ({self.why})'}"
        )


def in_words(action: Action) -> str:
    """Say what an action does."""
    match action:
        case Cut():
            return f"cut ({action.how})"
        case Hole():
            return f"black hole for {' and '.join(f'{each}s' for each in action.swallows)}"
        case Hold():
            return "hold"
        case _:
            assert_never(action)


def part(message: Message, passed: Passed) -> bytes:
    """Give what of a message is passed on."""
    match passed:
        case "nothing":
            return b""
        case "half":
            return message.raw[: len(message.raw) // 2]
        case "all":
            return message.raw
        case _:
            assert_never(passed)
