"""Reading records: what is accepted, and why the rest is refused."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from domain.commands import CreateTasks, NewTask
from messages import codec
from messages.binary import format_time, is_json
from messages.codec import Limits
from messages.envelope import parse_time
from messages.refusals import MAX_DETAIL_CHARACTERS, Reason, RefusedError
from tests import making
from tests.making import NOON, NOON_MICROSECONDS, new_id

LIMITS = Limits()


def read(record):
    LIMITS.check(record.key, record.value, record.headers)
    envelope, content_type, data = codec.read(record.headers, record.value, LIMITS)
    return envelope, codec.decode(envelope, content_type, data, LIMITS)


def refusal(record) -> RefusedError:
    with pytest.raises(RefusedError) as refused:
        read(record)
    return refused.value


def with_headers(record, **changes: bytes | None):
    """Replace or drop headers by their names, `-` written as `_` only in content_type."""
    names = {"content_type": "content-type"}
    wanted = {names.get(name, name): value for name, value in changes.items()}
    record.headers = [(name, value) for name, value in record.headers if name not in wanted]
    record.headers += [(name, value) for name, value in wanted.items() if value is not None]
    return record


def a_record():
    return making.record(making.create_squad(new_id()), command_id="42")


def test_what_a_producer_encodes_is_read_back():
    command = making.create_squad(new_id(), roles=("developer", "tester"))

    envelope, decoded = read(making.record(command, command_id="42", extensions={"correlationid": "c"}))

    assert decoded == command
    assert (envelope.id, envelope.source, envelope.type) == ("42", "/tests", "squad.create.v1")
    assert (envelope.time_microseconds, envelope.correlation_id, envelope.traceparent) == (NOON_MICROSECONDS, "c", None)


def test_conditions_are_read_where_a_producer_sets_them():
    conditions = {"expirytime": "2026-05-04T14:00:00+02:00", "expectedversion": "7"}

    envelope, _ = read(making.record(making.create_squad(new_id()), extensions=conditions))

    assert (envelope.expires_at, envelope.expected_version) == (NOON, 7)
    assert (read(a_record())[0].expires_at, read(a_record())[0].expected_version) == (None, None)


def test_extensions_that_are_only_checked_change_nothing():
    checked = {"causationid": "7", "recordedtime": "2026-05-04T12:00:00.5+02:00", "partitionkey": "another"}
    command = making.create_squad(new_id())

    assert read(making.record(command, command_id="1", extensions=checked)) == read(
        making.record(command, command_id="1")
    )


def test_attributes_may_have_every_other_character():
    odd = "a\u00a0\u3000\u200b\U0001f600\u0378"

    assert read(making.record(making.create_squad(new_id()), command_id=odd))[0].id == odd


@pytest.mark.parametrize("name", ["data", "replyTo", "reply_to", "reply-to", "x" * 21, ""])
def test_producer_is_told_of_a_name_that_no_extension_can_have(name):
    with pytest.raises(ValueError, match="no name of an extension"):
        making.record(making.create_squad(new_id()), extensions={name: "1"})


def test_correlation_begins_with_the_command_itself():
    assert read(a_record())[0].correlation_id == "42"


@pytest.mark.parametrize("missing", ["ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time"])
def test_record_without_a_required_attribute_is_unreadable(missing):
    assert refusal(with_headers(a_record(), **{missing: None})).reason is Reason.UNREADABLE
    assert refusal(with_headers(a_record(), **{missing: b""})).reason is Reason.UNREADABLE


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("ce_specversion", b"0.3"),
        ("ce_id", b"\xff"),
        ("ce_id", b"x" * 256),
        ("ce_source", b"a\0b"),
        ("ce_source", b"a\nb"),
        ("ce_id", b"a\x7fb"),
        ("ce_id", "a\ufffeb".encode()),
        ("ce_correlationid", "\U0010ffff".encode()),
        ("ce_time", b"2026-05-04T12:00:00"),
        ("ce_time", b"2026-05-04"),
        ("ce_time", b"20260504T120000Z"),
        ("ce_time", b"2026-13-04T12:00:00Z"),
        ("ce_time", b"0001-01-01T00:00:00+14:00"),
        ("ce_expirytime", b"tomorrow"),
        ("ce_expectedversion", b"-1"),
        ("ce_expectedversion", "\u0663".encode()),
        ("ce_expectedversion", b"1234567890123456789"),
        ("ce_correlationid", b""),
        ("ce_causationid", b""),
        ("ce_causationid", b"a\0b"),
        ("ce_causationid", b"x" * 256),
        ("ce_partitionkey", b""),
        ("ce_recordedtime", b"yesterday"),
        ("ce_recordedtime", b"2026-05-04T12:00:00"),
        ("ce_replyto", b""),
        ("ce_replyto", b"x" * 256),
        ("content_type", b"text/plain"),
    ],
)
def test_record_with_a_malformed_attribute_is_unreadable(header, value):
    assert refusal(with_headers(a_record(), **{header: value})).reason is Reason.UNREADABLE


def test_attribute_that_comes_twice_is_unreadable():
    record = a_record()
    record.headers = [*record.headers, ("ce_id", b"43")]

    assert refusal(record).reason is Reason.UNREADABLE


@pytest.mark.parametrize("value", [None, b"", b"{", b"[]x", b'{"name": "\\ud800"}'])
def test_value_that_is_not_json_is_unreadable(value):
    record = a_record()
    record.value = value

    assert refusal(record).reason is Reason.UNREADABLE


def test_unknown_type_is_said_to_be_unknown():
    assert refusal(with_headers(a_record(), ce_type=b"squad.create.v9")).reason is Reason.UNKNOWN_TYPE


ID = "0191d5a0-0000-7000-8000-000000000000"


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ("[]", "data"),
        ('{"squad_id": NaN}', "squad_id"),
        ("{}", "squad_id"),
        ('{"squad_id": 1}', "squad_id"),
        (f'{{"squad_id": "{ID.upper()}"}}', "squad_id"),
        (f'{{"squad_id": "{ID.replace("-", "")}"}}', "squad_id"),
        ('{"name": ""}', "name"),
        ('{"name": "a\\u0000b"}', "name"),
        ('{"roles": ["Not A Slug"]}', "roles.0"),
        ('{"roles": "developer"}', "roles"),
        ('{"tpyo": 1}', "tpyo"),
    ],
)
def test_data_that_does_not_fit_is_told_by_field(data, field):
    record = a_record()
    record.value = data.encode()

    refused = refusal(record)

    assert refused.reason is Reason.INVALID_DATA
    assert field in refused.errors


def test_telling_what_is_wrong_is_bounded():
    record = a_record()
    record.value = ("{" + ",".join(f'"{"x" * 1000}{number}": 1' for number in range(500)) + "}").encode()

    refused = refusal(record)

    assert len(refused.errors) <= codec.MAX_FAULTS
    assert all(len(name) <= codec.MAX_FAULT_CHARACTERS for name in refused.errors)
    assert len(refusal(with_headers(a_record(), content_type=b"x" * 9000)).detail) <= MAX_DETAIL_CHARACTERS


def test_records_over_a_limit_are_too_large():
    limits = Limits(record_bytes=1000, headers=10, header_bytes=500, json_depth=3)
    for key, value, headers in (
        (b"k", b"v" * 1000, []),
        (b"k" * 1001, None, []),
        (None, None, [("a", b"")] * 11),
        (None, None, [("a", b"x" * 501)]),
    ):
        with pytest.raises(RefusedError) as refused:
            limits.check(key, value, headers)
        assert refused.value.reason is Reason.TOO_LARGE
    limits.check(b"k" * 100, b"v" * 100, [("a", None), ("b", b"x" * 100)])


def test_json_may_nest_only_so_deep():
    limits = Limits(json_depth=3)
    limits.check_json(b'{"a": [[1], [2], [3], [4]]}')
    limits.check_json(b'{"a": "[[[[[[", "b": "\\"[[[[["}')
    with pytest.raises(RefusedError) as refused:
        limits.check_json(b"[[[[1]]]]")
    assert refused.value.reason is Reason.TOO_LARGE


def test_json_may_have_only_so_many_values():
    limits = Limits(json_values=4)
    limits.check_json(b'{"a": [1, 2], "b": ",,,,,,\\",,,,"}')
    limits.check_json(b"[1, 2, 3, 4]")
    with pytest.raises(RefusedError) as refused:
        limits.check_json(b'{"a": [1, 2, 3], "b": "", "c": ""}')
    assert refused.value.reason is Reason.TOO_LARGE


@pytest.mark.timeout(10)
def test_text_without_an_end_is_looked_at_once():
    """It took three quarters of an hour."""
    LIMITS.check_json(b"[]" * 40 + b'"' + b'\\"' * 500_000)


@pytest.mark.timeout(10)
def test_half_a_million_faults_are_not_told_one_by_one():
    record = a_record()
    record.value = b'{"roles": [' + b"1," * 500_000 + b"1]}"

    assert refusal(record).reason is Reason.TOO_LARGE


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ('{{"squad_id": "{id}", "user_id": "{id}", "name": "a", "roles": [], "name": "b"}}', "name"),
        ('{{"squad_id": {many}, "squad_id": "{id}", "user_id": "{id}", "name": "a"}}', "squad_id"),
        ('{{"squad_id": "{id}", "user_id": "{id}", "name": "a", "n\\u0061me": "b"}}', "name"),
    ],
)
def test_field_that_comes_twice_is_refused(data, field):
    """Readers disagree which of the two counts: one in front of us could have checked the other."""
    record = a_record()
    record.value = data.format(id=ID, many="9" * 4_000).encode()

    refused = refusal(record)

    assert (refused.reason, refused.errors) == (Reason.INVALID_DATA, {field: "Field comes twice"})


def test_name_that_comes_twice_within_a_list_is_refused():
    task = f'{{"task_id": "{ID}", "title": "A: b", "title": "c"}}'
    record = making.record(CreateTasks(squad_id=ID, project_id=ID, tasks=(NewTask(task_id=ID, title="A"),)))
    record.value = f'{{"squad_id": "{ID}", "project_id": "{ID}", "tasks": [{task}]}}'.encode()

    assert refusal(record).errors == {"title": "Field comes twice"}
    record.value = record.value.replace(b', "title": "c"', b"")
    assert read(record)[1].tasks[0].title == "A: b"


def test_fingerprint_covers_type_time_and_content_but_not_spelling():
    command = making.create_squad(new_id(), roles=())

    def fingerprint(value: bytes | None = None, time: datetime = NOON) -> bytes:
        record = making.record(command, command_id="42", time=time)
        record.value = value or record.value
        return codec.hash_command(*read(record))

    text = f'{{ "name":"Squad", "user_id":"{command.user_id}",\n "roles":[],"squad_id":"{command.squad_id}" }}'
    assert fingerprint(text.encode()) == fingerprint()
    assert fingerprint(text.replace("[]", '["tester"]').encode()) != fingerprint()
    assert fingerprint(time=NOON + timedelta(seconds=1)) != fingerprint()


def test_same_moment_in_another_offset_is_the_same_time():
    east = parse_time("2026-05-04T14:00:00.5+02:00")

    assert east == parse_time("2026-05-04t12:00:00.500z") == NOON + timedelta(milliseconds=500)
    assert east.tzinfo is UTC


def test_time_is_written_as_rfc_3339():
    assert format_time(NOON) == "2026-05-04T12:00:00Z"
    assert parse_time(format_time(NOON + timedelta(microseconds=1))) == NOON + timedelta(microseconds=1)
    assert NOON.astimezone(timezone(timedelta(hours=2))) == NOON


@pytest.mark.parametrize(
    ("content_type", "json"),
    [
        (None, True),
        ("application/json", True),
        ("Application/JSON; charset=utf-8", True),
        ("application/vnd.squad+json", True),
        ("Text/Json", True),
        ("text/plain", False),
        ("application/avro", False),
    ],
)
def test_content_types_that_say_json(content_type, json):
    assert is_json(content_type) is json
