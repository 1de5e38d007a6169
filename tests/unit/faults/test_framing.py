"""Messages are found in what PostgreSQL and Kafka send, however it is cut up on the way."""

import struct

import pytest

from tests.faults.framing import Direction, Framing, KafkaFraming, PostgresFraming

STARTUP = struct.pack(">ii", 16, 196608) + b"user\0me\0"
TLS = struct.pack(">ii", 8, 80877103)


def typed(kind: bytes, body: bytes = b"") -> bytes:
    return kind + struct.pack(">i", 4 + len(body)) + body


def asked(key: int, correlation: int, body: bytes = b"") -> bytes:
    content = struct.pack(">hhi", key, 0, correlation) + body
    return struct.pack(">i", len(content)) + content


def answered(correlation: int, body: bytes = b"") -> bytes:
    content = struct.pack(">i", correlation) + body
    return struct.pack(">i", len(content)) + content


POSTGRES: list[tuple[Direction, bytes, list[str]]] = [
    ("request", TLS, ["SSLRequest"]),
    ("answer", b"N", ["NoTLS"]),
    ("request", STARTUP, ["Startup"]),
    ("answer", typed(b"R", b"\0\0\0\0") + typed(b"Z", b"I"), ["Authentication", "ReadyForQuery"]),
    ("request", typed(b"P", b"x") + typed(b"D") + typed(b"S"), ["Parse", "Describe", "Sync"]),
    ("answer", typed(b"1") + typed(b"D", b"row") + typed(b"Z", b"I"), ["ParseComplete", "DataRow", "ReadyForQuery"]),
    ("request", typed(b"?"), ["?"]),
]

KAFKA: list[tuple[Direction, bytes, list[str]]] = [
    ("request", asked(3, 1) + asked(1, 2, b"x" * 70), ["Metadata", "Fetch"]),
    ("answer", answered(2, b"records") + answered(1), ["Fetch", "Metadata"]),
    ("answer", answered(9), ["unasked"]),
    ("request", asked(99, 3), ["api 99"]),
]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize(("framing", "said"), [(PostgresFraming, POSTGRES), (KafkaFraming, KAFKA)])
def test_messages_are_whole_and_named_whatever_the_pieces(framing, said, size: int) -> None:
    found: Framing = framing()
    for direction, data, kinds in said:
        pieces = [data[at : at + size] for at in range(0, len(data), size)]
        frames = [frame for piece in pieces for frame in found.feed(direction, piece)]
        assert [kind for kind, _ in frames] == kinds
        assert b"".join(raw for _, raw in frames) == data
