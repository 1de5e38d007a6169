"""Structured mode: the whole event as JSON in the value, held to the same limits and found to be the same command."""

import json
from base64 import b64encode
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from messages import codec
from messages.codec import Limits
from messages.refusals import Reason, RefusedError
from messages.structured import _read_members
from tests import making
from tests.making import NOON, NOON_MICROSECONDS, SOURCE, new_id

LIMITS = Limits()
COMMAND = making.register_user(new_id(), "ada@example.org", "Ada")
JSON_FORMAT = "application/cloudevents+json; charset=UTF-8"


def event(**changes: Any) -> bytes:
    """Give an event in the JSON format; `None` leaves a member out, `...` writes it as null."""
    [_, value, _] = codec.encode_command(COMMAND, command_id="42", source=SOURCE, time=NOON)
    members: dict[str, Any] = {
        "specversion": "1.0",
        "id": "42",
        "source": SOURCE,
        "type": "user.register.v1",
        "time": "2026-05-04T12:00:00Z",
        "datacontenttype": "application/json",
        "data": json.loads(value),
        **changes,
    }
    found = {name: None if content is ... else content for name, content in members.items() if content is not None}
    return json.dumps(found, indent=1).encode()


def read(value: bytes | None, content_type: str = JSON_FORMAT, *others: tuple[str, bytes], limits: Limits = LIMITS):
    headers = [("content-type", content_type.encode()), *others]
    envelope, content, data = codec.read(headers, value, limits)
    return envelope, codec.decode(envelope, content, data, limits)


def refusal(value: bytes | None, content_type: str = JSON_FORMAT, **more: Any) -> RefusedError:
    with pytest.raises(RefusedError) as refused:
        read(value, content_type, **more)
    return refused.value


def binary_fingerprint(**changes: Any) -> bytes:
    record = making.record(COMMAND, **({"command_id": "42"} | changes))
    envelope, content, data = codec.read(record.headers, record.value, LIMITS)
    return codec.hash_command(envelope, codec.decode(envelope, content, data, LIMITS))


def test_same_command_in_both_modes_is_the_same_one():
    envelope, command = read(event())

    assert command == COMMAND
    assert (envelope.id, envelope.source, envelope.type, envelope.time_microseconds) == (
        "42",
        SOURCE,
        "user.register.v1",
        NOON_MICROSECONDS,
    )
    assert codec.hash_command(envelope, command) == binary_fingerprint()
    assert codec.hash_command(envelope, command) != binary_fingerprint(time=NOON + timedelta(seconds=1))
    later = read(event(time="2026-05-04T12:00:01Z"))
    assert codec.hash_command(*later) == binary_fingerprint(time=NOON + timedelta(seconds=1))


def test_refused_data_is_told_apart_by_its_own_bytes_in_both_modes():
    data = b'{"user_id":  1}'
    value = event(data=None, x="y")[:-1].rstrip(b"\n} ") + b', "data": ' + data + b"}"
    headers = [("content-type", b"application/cloudevents+json")]

    envelope, _, found = codec.read(headers, value, LIMITS)

    assert found == data
    assert codec.hash_refused(envelope, found) == codec.hash_refused(envelope, data)


@pytest.mark.parametrize(
    "content_type",
    ["application/cloudevents+json", "Application/CloudEvents+JSON", 'application/cloudevents+json;charset="utf-8"'],
)
def test_media_type_is_read_in_any_case(content_type):
    assert read(event(), content_type)[1] == COMMAND


@pytest.mark.parametrize(
    ("content_type", "said"),
    [
        ("application/cloudevents-batch+json", "no batches on Kafka"),
        ("application/CloudEvents-Batch+json; charset=utf-8", "no batches on Kafka"),
        ("application/cloudevents+xml", "event format application/cloudevents+xml is not known"),
        ("application/cloudevents+avro", "event format application/cloudevents+avro is not known"),
        ("application/cloudevents", "event format application/cloudevents is not known"),
        ("application/cloudevents+json; charset=utf-16", "charset=utf-16"),
    ],
)
def test_batches_and_other_event_formats_are_refused_by_name(content_type, said):
    refused = refusal(event(), content_type)

    assert refused.reason is Reason.UNREADABLE
    assert said in refused.detail


def test_extensions_of_every_scalar_type_are_read_as_their_canonical_text():
    envelope, _ = read(event(expectedversion=7, correlationid="c", flag=True, number=-5, nothing=...))

    assert (envelope.expected_version, envelope.correlation_id) == (7, "c")
    assert read(event(correlationid=True))[0].correlation_id == "true"
    assert read(event(correlationid=-(2**31)))[0].correlation_id == "-2147483648"
    assert read(event(correlationid=...))[0].correlation_id == "42", "null is unset"


@pytest.mark.parametrize(
    "changes",
    [
        {"id": 42},
        {"id": None},
        {"time": ...},
        {"specversion": 1.0},
        {"specversion": "0.3"},
        {"anumber": 1.5},
        {"anumber": 2**31},
        {"anumber": -(2**31) - 1},
        {"alist": [1]},
        {"anobject": {}},
        {"aHump": "x"},
        {"under_score": "x"},
        {"source": "\ud800"},
        {"other": "\udead"},
        {"source": "a\0b"},
        {"datacontenttype": "application/xml"},
        {"data": None},
        {"data_base64": "e30="},
        {"data": None, "data_base64": 1},
        {"data": None, "data_base64": "not base64"},
        {"data": None, "data_base64": "\u00e9"},
        {"data": {"name": "\ud800"}},
    ],
)
def test_event_that_the_format_does_not_allow_is_unreadable(changes):
    assert refusal(event(**changes)).reason is Reason.UNREADABLE


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"null",
        b"[]",
        b"{}",
        b"{",
        b'{"id"',
        b'{"id": "1"',
        b'{"id": "1",}',
        b'{"id" "1"}',
        b'{1: "1"}',
        b'"x"',
        b"\xff",
        b"\xef\xbb\xbf" + event(),
        event() + b"x",
        event() + event(),
        event()[:-1] + b', "id": "43"}',
        event()[:-1] + b', "data": {}}',
        event()[:-1] + b', "x": NaN}',
        event()[:-1] + b', "x": "\x01"}',
        event()[:-1] + b', "x": "\xff"}',
    ],
)
def test_value_that_is_no_json_object_is_unreadable_and_never_quoted(value):
    refused = refusal(value)

    assert refused.reason is Reason.UNREADABLE
    assert "ada@example.org" not in refused.detail


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from([*json.loads(event()), "ext"])


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(st.sampled_from([*json.loads(event()), "ext"]), JSON_VALUES), st.binary(max_size=3), st.integers()
)
def test_whatever_the_value_is_it_is_read_or_refused(changes, noise, place):
    value = json.dumps(json.loads(event()) | changes).encode()
    cut = place % (len(value) + 1)
    for each in (value, value[:cut], value[:cut] + noise + value[cut:]):
        found = None
        with suppress(RefusedError):
            found = read(each)
        assert found is None or isinstance(found[1], type(COMMAND))


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.from_regex(r"[a-z0-9]{1,20}", fullmatch=True), JSON_VALUES), st.booleans())
def test_members_are_those_that_json_has(members, spaced):
    text = json.dumps(members, indent="\t" if spaced else None, ensure_ascii=not spaced)
    if members:
        assert json.dumps({name: json.loads(each) for name, each in _read_members(text, 1_000).items()}) == json.dumps(
            members
        )


@pytest.mark.parametrize("depth", [900, 960, 980, 990, 1000, 2000])
def test_attribute_nested_as_deep_as_python_goes_is_refused(depth):
    nested = event(data=None)[:-1].rstrip(b"\n} ") + b', "x": ' + b"[" * depth + b"]" * depth + b"}"

    assert refusal(nested, limits=Limits(json_depth=10**6)).reason is Reason.UNREADABLE


def test_data_without_a_content_type_is_json():
    assert read(event(datacontenttype=None))[1] == COMMAND
    assert read(event(datacontenttype="Text/JSON; x=y"))[1] == COMMAND


def test_base64_data_is_decoded_and_nothing_assumed_of_it():
    encoded = b64encode(json.dumps(json.loads(event())["data"]).encode()).decode()

    assert read(event(data=None, data_base64=encoded))[1] == COMMAND
    assert "octet-stream" in refusal(event(data=None, data_base64=encoded, datacontenttype=None)).detail


def test_text_that_looks_like_json_is_text():
    assert refusal(event(data=json.dumps(json.loads(event())["data"]))).reason is Reason.INVALID_DATA
    assert refusal(event(data=...)).reason is Reason.INVALID_DATA, "an explicit null is data"


def test_data_may_nest_as_deep_as_in_binary_mode_and_no_deeper():
    limits = Limits(json_depth=3)

    def nested(depth: int) -> bytes:
        return event(data=json.loads("[" * depth + "]" * depth))

    assert refusal(nested(3), limits=limits).reason is Reason.INVALID_DATA
    assert refusal(nested(4), limits=limits).reason is Reason.TOO_LARGE
    assert refusal(b"[" * 50_000).reason is Reason.TOO_LARGE
    assert refusal(b'{"id":' * 5_000, limits=Limits(json_depth=10**6)).reason is Reason.UNREADABLE


def test_member_that_data_repeats_is_treated_as_in_binary_mode():
    twice = b'{"user_id": 1, "user_id": "%s", "email": "ada@example.org", "name": "Ada"}' % COMMAND.user_id.encode()
    record = making.record(COMMAND)
    envelope, content, _ = codec.read(record.headers, record.value, LIMITS)
    value = event(data=None)[:-1].rstrip(b"\n} ") + b', "data": ' + twice + b"}"

    for reading in (lambda: read(value), lambda: codec.decode(envelope, content, twice, LIMITS)):
        with pytest.raises(RefusedError) as refused:
            reading()
        assert (refused.value.reason, refused.value.errors) == (Reason.INVALID_DATA, {"user_id": "Field comes twice"})


def test_event_may_have_only_so_many_members():
    limits = Limits(headers=10)

    assert refusal(event(**{f"x{number}": 1 for number in range(10)}), limits=limits).reason is Reason.TOO_LARGE


@pytest.mark.parametrize("charset", ["utf-8", '"UTF-8"', "US-ASCII ; x=y", " utf-8"])
def test_charset_of_json_may_be_said(charset):
    assert read(event(), f"application/cloudevents+json; charset={charset}")[1] == COMMAND


def test_headers_beside_the_event_are_not_read():
    envelope, _ = read(event(), JSON_FORMAT, ("ce_id", b"43"), ("ce_replyto", b"somewhere"))

    assert (envelope.id, envelope.reply_to) == ("42", None)


def test_every_content_type_that_does_not_begin_so_is_binary_mode():
    for content_type in ("application/json", "application/cloudevent+json", "text/plain"):
        with pytest.raises(RefusedError, match="ce_specversion"):
            read(event(), content_type)
