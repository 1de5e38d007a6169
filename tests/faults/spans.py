"""Which of PostgreSQL's messages belong together: those of a batch, of a relay's page, of a lease's renewal."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from tests.faults.framing import Direction
from tests.faults.rules import Action, Cut, Message

_SPANS_BELOW: Final = 3
"""So many spans in a row must have ended before the message that is looked for, until nobody looks any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of span: from the statement that begins it up to the end of the one that ends it.

    Args:
        name: for the evidence.
        begins, ends: what those statements contain.
        marked: what some statement of it contains, where other spans begin likewise.
    """

    name: str
    begins: str
    ends: str
    marked: str = ""


BATCH: Final = Kind(name="batch", begins="BEGIN ISOLATION", ends="COMMIT;", marked="next_offset, now()")
PAGE: Final = Kind(name="relay's page", begins="pg_current_snapshot()", ends="SET previous = CAST")
RENEWAL: Final = Kind(name="lease's renewal", begins="UPDATE leases SET", ends="UPDATE leases SET")


@dataclass(slots=True)
class Span:
    """A span that is under way on a connection.

    Attributes:
        before: how many spans of its kind its connection has had, whole.
        messages: how many of it have passed, both ways counted together; rows one behind another are one.
        statement: the one that is under way.
        is_marked: whether it is certainly of its kind.
    """

    kind: Kind
    before: int
    messages: int = 0
    statement: str = ""
    last_kind: str = ""
    is_marked: bool = False
    is_begun: bool = False
    is_ending: bool = False
    is_whole: bool = False

    def note(self, statement: str, *, is_run: bool) -> None:
        """Go on with a statement, prepared or run."""
        self.statement = statement
        self.is_marked = self.is_marked or self.kind.marked in statement
        self.is_begun = self.is_begun or is_run
        self.is_whole = is_run and self.kind.ends in statement
        self.is_ending = self.is_whole or (is_run and "ROLLBACK;" in statement)


@dataclass(slots=True)
class _Connection:
    statements: dict[bytes, str] = field(default_factory=dict)
    span: Span | None = None
    whole: int = 0


class Spans:
    """Follows the messages of any number of connections; must see all of them.

    Args:
        kind: which spans are wanted.
    """

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._connections: dict[int, _Connection] = {}

    def follow(self, message: Message) -> tuple[Span | None, bool]:
        """Give the span that a message belongs to, and whether it is its last."""
        connection = self._connections.setdefault(message.connection, _Connection())
        statement = _statement_of(message, connection.statements) if message.direction == "request" else None
        if statement is not None:
            self._begin(connection, statement)
        span = connection.span
        if span is None:
            return None, False
        if statement is not None:
            span.note(statement, is_run=message.kind != "Parse")
        if not message.kind == span.last_kind == "DataRow":
            span.messages += 1
        span.last_kind = message.kind
        is_last = span.is_ending and message.direction == "answer" and message.kind == "ReadyForQuery"
        if is_last:
            connection.span = None
            connection.whole += span.is_marked and span.is_whole
        return span, is_last

    def _begin(self, connection: _Connection, statement: str) -> None:
        """Begin a span with its first statement: prepared and then run, it is still the first."""
        if self._kind.begins in statement and (connection.span is None or connection.span.is_begun):
            connection.span = Span(self._kind, connection.whole)


def _statement_of(message: Message, prepared: dict[bytes, str]) -> str | None:
    """Give the text of the statement that a request prepares or runs (PostgreSQL documentation, 54.7)."""
    match message.kind:
        case "Query":
            return message.raw[5:-1].decode()
        case "Parse":
            name, statement, _ = message.raw[5:].split(b"\0", 2)
            prepared[name] = statement.decode()
            return prepared[name]
        case "Bind":
            _, name, _ = message.raw[5:].split(b"\0", 2)
            return prepared.get(name, "")
        case _:
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A message of a statement in a span, and what is done to it.

    Args:
        statement: what the statement contains.
        direction, kind: the message's.
        action: what is done to it.
    """

    statement: str
    direction: Direction
    kind: str
    action: Action


class Moments:
    """Does one thing after another to the messages that fit, each in another span.

    Args:
        kind: of the spans.
        moments: in order.
        on_end: called with the last.

    It must see all messages from the beginning, and does something only once it is armed.
    """

    def __init__(self, kind: Kind, moments: Iterable[Moment]) -> None:
        self.why = ""
        self.happened = asyncio.Event()
        self.is_armed = False
        self.action: Action = Cut()
        self._kind = kind
        self._spans = Spans(kind)
        self._moments = list(moments)

    def takes(self, message: Message) -> bool:
        """Tell whether this is the next moment."""
        span, _ = self._spans.follow(message)
        if span is None or not span.is_marked or not self.is_armed or not self._moments:
            return False
        moment = self._moments[0]
        if (message.direction, message.kind) != (moment.direction, moment.kind):
            return False
        if moment.statement not in span.statement:
            return False
        del self._moments[0]
        self.action = moment.action
        self.why = f"message {span.messages} of a {self._kind.name}, in {_shortened(span.statement)}"
        if not self._moments:
            self.happened.set()
        return True


def _shortened(statement: str) -> str:
    return repr(" ".join(statement.split())[:60])


class Sweep:
    """Cuts a connection at the first message of a span, another at the second, and so on, until spans are shorter.

    Args:
        kind: of the spans.
        every: cuts only at every so many.
        warm: whether a connection must have had a whole span before: its statements are prepared then.

    It must see all messages from the beginning, and cuts only once it is armed.
    """

    def __init__(self, kind: Kind, *, every: int = 1, warm: bool = True) -> None:
        self.why = ""
        self.happened = asyncio.Event()
        self.is_armed = False
        self.cuts: list[tuple[int, Direction, str]] = []
        """Where connections were cut: the message's number in its span, which way it went, its kind."""
        self._kind = kind
        self._spans = Spans(kind)
        self._every = every
        self._target = 1
        self._warm = warm
        self._below = 0

    @property
    def action(self) -> Action:
        """Cut, by turns with RST and FIN."""
        return Cut(how="reset" if len(self.cuts) % 2 else "finish")

    def takes(self, message: Message) -> bool:
        """Tell whether to cut here."""
        span, is_last = self._spans.follow(message)
        if span is None or not self.is_armed or self._below >= _SPANS_BELOW or (self._warm and not span.before):
            return False
        # What begins it may begin something else too: it is cut nevertheless, for else nobody would be cut there.
        if span.messages == self._target and (span.is_marked or span.messages <= 3):
            self._target += self._every
            self._below = 0
            self.why = f"message {span.messages} of a {self._kind.name}, in {_shortened(span.statement)}"
            self.cuts.append((span.messages, message.direction, message.kind))
            return True
        if is_last and span.is_marked and span.is_whole and span.messages < self._target:
            self._below += 1
            if self._below == _SPANS_BELOW:
                self.happened.set()
        return False
