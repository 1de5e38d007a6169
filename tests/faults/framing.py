"""Where one message ends and the next begins, in what PostgreSQL and Kafka send; TLS must be off."""

from dataclasses import dataclass, field
from typing import Final, Literal, Protocol, assert_never

Direction = Literal["request", "answer"]
"""From the client to the server, or back."""

_LENGTH_BYTES: Final = 4

# The first message of a client has no type, but a code behind its length (PostgreSQL documentation, 54.7).
_STARTUP_KINDS: Final = {80877102: "CancelRequest", 80877103: "SSLRequest", 80877104: "GSSENCRequest"}

_REQUEST_KINDS: Final = {
    "B": "Bind",
    "C": "Close",
    "D": "Describe",
    "E": "Execute",
    "H": "Flush",
    "P": "Parse",
    "Q": "Query",
    "S": "Sync",
    "X": "Terminate",
    "p": "Password",
}

_ANSWER_KINDS: Final = {
    "1": "ParseComplete",
    "2": "BindComplete",
    "3": "CloseComplete",
    "A": "Notification",
    "C": "CommandComplete",
    "D": "DataRow",
    "E": "Error",
    "I": "EmptyQuery",
    "K": "BackendKeyData",
    "N": "Notice",
    "R": "Authentication",
    "S": "ParameterStatus",
    "T": "RowDescription",
    "Z": "ReadyForQuery",
    "n": "NoData",
    "s": "PortalSuspended",
    "t": "ParameterDescription",
}

_API_KEYS: Final = {
    0: "Produce",
    1: "Fetch",
    2: "ListOffsets",
    3: "Metadata",
    8: "OffsetCommit",
    9: "OffsetFetch",
    10: "FindCoordinator",
    11: "JoinGroup",
    12: "Heartbeat",
    13: "LeaveGroup",
    14: "SyncGroup",
    18: "ApiVersions",
    19: "CreateTopics",
    22: "InitProducerId",
}
"""Those that are met here (Kafka protocol guide, "Api Keys")."""

Frame = tuple[str, bytes]
"""A message's kind, and all of its bytes."""


class Framing(Protocol):
    """Finds the messages of one connection, both ways."""

    def feed(self, direction: Direction, data: bytes) -> list[Frame]:
        """Take what came, and give the messages that are whole now."""
        ...


@dataclass(slots=True)
class PostgresFraming:
    """A type byte, a length that counts itself, the rest; without the type before the start-up is over."""

    _rest: dict[Direction, bytearray] = field(
        default_factory=lambda: {"request": bytearray(), "answer": bytearray()}, init=False
    )
    _is_started: bool = field(default=False, init=False)
    _asked_for_tls: bool = field(default=False, init=False)

    def feed(self, direction: Direction, data: bytes) -> list[Frame]:
        """Take what came, and give the messages that are whole now."""
        rest = self._rest[direction]
        rest += data
        frames: list[Frame] = []
        while frame := self._take(direction, rest):
            frames.append(frame)
            del rest[: len(frame[1])]
        return frames

    def _take(self, direction: Direction, rest: bytearray) -> Frame | None:
        match direction:
            case "request" if not self._is_started:
                return self._take_startup(rest)
            case "request":
                return _take_typed(rest, _REQUEST_KINDS)
            case "answer" if self._asked_for_tls and rest:
                # Whether the server has TLS is a single byte; only "no" is understood here.
                self._asked_for_tls = False
                return "NoTLS", bytes(rest[:1])
            case "answer":
                return _take_typed(rest, _ANSWER_KINDS)
            case _:
                assert_never(direction)

    def _take_startup(self, rest: bytearray) -> Frame | None:
        raw = _take_sized(rest, 0, _LENGTH_BYTES)
        if raw is None:
            return None
        kind = _STARTUP_KINDS.get(int.from_bytes(raw[4:8]), "Startup")
        self._is_started = kind == "Startup"
        self._asked_for_tls = kind in {"SSLRequest", "GSSENCRequest"}
        return kind, raw


@dataclass(slots=True)
class KafkaFraming:
    """A length that does not count itself, then the rest; an answer is of the kind of what it answers."""

    _rest: dict[Direction, bytearray] = field(
        default_factory=lambda: {"request": bytearray(), "answer": bytearray()}, init=False
    )
    _asked: dict[bytes, str] = field(default_factory=dict, init=False)

    def feed(self, direction: Direction, data: bytes) -> list[Frame]:
        """Take what came, and give the messages that are whole now."""
        rest = self._rest[direction]
        rest += data
        frames: list[Frame] = []
        while raw := _take_sized(rest, 0, 0):
            frames.append((self._kind(direction, raw), raw))
            del rest[: len(raw)]
        return frames

    def _kind(self, direction: Direction, raw: bytes) -> str:
        if direction == "answer":
            return self._asked.pop(raw[4:8], "unasked")
        # Length, API key, its version, correlation id (Kafka protocol guide, "Request Header").
        key = int.from_bytes(raw[4:6])
        kind = _API_KEYS.get(key, f"api {key}")
        self._asked[raw[8:12]] = kind
        return kind


def _take_typed(rest: bytearray, kinds: dict[str, str]) -> Frame | None:
    raw = _take_sized(rest, 1, _LENGTH_BYTES)
    return None if raw is None else (kinds.get(chr(raw[0]), chr(raw[0])), raw)


def _take_sized(rest: bytearray, before: int, counted: int) -> bytes | None:
    """Give the first message, if it is whole.

    Args:
        rest: what is not taken yet.
        before: bytes in front of the length.
        counted: how many bytes of itself the length counts.
    """
    behind = before + _LENGTH_BYTES
    if len(rest) < behind:
        return None
    end = behind + int.from_bytes(rest[before:behind]) - counted
    return bytes(rest[:end]) if len(rest) >= end else None
