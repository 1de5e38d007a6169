"""The trace context of a command: kept where it is well-formed, else as if it were not there."""

import pytest

from messages import codec
from messages.codec import Limits
from messages.trace import is_traceparent, is_tracestate
from tests import making
from tests.making import new_id

ORIGIN = "00-0af7651916cd43dd8448eb211c80319c-b9c7c989f97918e1-01"
HOP = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def trace_of(*headers: tuple[str, bytes | None]) -> tuple[str | None, str | None]:
    record = making.record(making.create_squad(new_id()))
    envelope, _, _ = codec.read([*record.headers, *headers], record.value, Limits())
    return envelope.traceparent, envelope.tracestate


def test_origin_counts_and_the_hop_where_there_is_none():
    origin, hop = ("ce_traceparent", ORIGIN.encode()), ("traceparent", HOP.encode())

    assert trace_of() == (None, None)
    assert trace_of(origin, hop, ("tracestate", b"a=1")) == (ORIGIN, None)
    assert trace_of(origin, hop, ("ce_tracestate", b"a=1")) == (ORIGIN, "a=1")
    assert trace_of(hop, ("tracestate", b"a=1,b=2")) == (HOP, "a=1,b=2")
    assert trace_of(("traceparent", None)) == (None, None)
    assert trace_of(("ce_traceparent", b"no trace"), ("ce_tracestate", b"a=1"), hop) == (HOP, None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "a\0b",
        ORIGIN.upper(),
        ORIGIN[:-1],
        ORIGIN + "0",
        ORIGIN + "-what-else",
        " " + ORIGIN,
        ORIGIN + "\n",
        "ff" + ORIGIN[2:],
        "00-" + "0" * 32 + ORIGIN[35:],
        ORIGIN[:36] + "0" * 16 + "-01",
        "01" + ORIGIN[2:] + "-" + "x" * 300,
        "x" * 10_000,
    ],
)
def test_malformed_trace_is_no_trace_and_never_refuses_a_command(text):
    assert not is_traceparent(text)
    assert trace_of(("ce_traceparent", text.encode()), ("ce_tracestate", b"a=1")) == (None, None)


def test_trace_that_comes_twice_or_is_not_utf_8_is_no_trace():
    once = ("ce_traceparent", ORIGIN.encode())

    assert trace_of(once, once) == (None, None)
    assert trace_of(("ce_traceparent", b"\xff")) == (None, None)
    assert trace_of(("traceparent", b"\xff")) == (None, None)
    assert trace_of(once, ("ce_tracestate", b"\xff")) == (ORIGIN, None)


def test_later_version_is_kept_in_the_part_that_is_known():
    assert is_traceparent("01" + ORIGIN[2:])
    assert is_traceparent("cc" + ORIGIN[2:] + "-what-the-future-will-be-like")


@pytest.mark.parametrize("text", ["a=1", "a=1,b=2", "tenant@system=v, b=2 ,", "rojo=00f067aa0ba902b7"])
def test_state_that_is_well_formed_is_kept(text):
    assert is_tracestate(text)


@pytest.mark.parametrize(
    "text", ["", " ", ",", "a", "a=", "A=1", "a=1=2", "a=\u00e9", "a=1\n", "a=1," * 33, "a=" + "x" * 600, "a=1,\n"]
)
def test_state_that_is_malformed_goes_alone(text):
    assert not is_tracestate(text)
    assert trace_of(("ce_traceparent", ORIGIN.encode()), ("ce_tracestate", text.encode())) == (ORIGIN, None)


@pytest.mark.timeout(10)
def test_state_of_spaces_is_read_once():
    """One expression for the whole list tried each way to share out its spaces, and did not come back."""
    assert not is_tracestate((" " * 15 + ",") * 31 + "!")
    assert is_tracestate((" " * 15 + ",") * 31 + "a=1")
