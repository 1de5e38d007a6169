"""docs/messages.md, "Limits": each row is tried, at its limit and over it, with what the producer sees."""

import json
from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest

from app.options.names import variable
from app.settings import Settings
from app.wiring.applying import build_decoder
from consumers.decode import Incoming
from domain import commands
from messages.refusals import Reason
from tests import making
from tests.making import NOON, FakeRecord, new_id
from tests.unit.docs.test_complete import code_in, page, rows_of, under

SETTINGS = Settings(
    database_url="postgresql+asyncpg://localhost/none",
    record_max_bytes=8_000,
    record_max_headers=12,
    record_max_header_bytes=2_000,
    record_max_json_depth=5,
    record_max_json_values=20,
    command_age_limit_seconds=60,
    command_skew_seconds=30,
)
USER = making.register_user(new_id())
SQUAD = making.create_squad(new_id(), roles=())


def plain(**changes: object) -> FakeRecord:
    """Give a good record with members of its data changed."""
    made = making.record(USER)
    members = json.loads(made.value or b"") | changes
    made.value = json.dumps(members).encode()
    return made


def padded(size: int) -> FakeRecord:
    made = plain()
    made.value = (made.value or b"").ljust(len(made.value or b"") + size - weight(made))
    return made


def weight(record: FakeRecord) -> int:
    headers = sum(len(name) + len(content or b"") for name, content in record.headers)
    return headers + len(record.key or b"") + len(record.value or b"")


def with_headers(*headers: tuple[str, bytes]) -> FakeRecord:
    made = plain()
    made.headers = [*(each for each in made.headers if each[0] not in dict(headers)), *headers]
    return made


def with_many_headers(number: int) -> FakeRecord:
    made = plain()
    made.headers = [*made.headers, *((f"h{each}", b"") for each in range(number - len(made.headers)))]
    return made


def with_large_headers(size: int) -> FakeRecord:
    made = plain()
    taken = sum(len(name) + len(content or b"") for name, content in made.headers)
    made.headers = [*made.headers, ("h", b"x" * (size - taken - 1))]
    return made


def event_of(members: int) -> FakeRecord:
    made = making.structured(USER, command_id=new_id())
    found = json.loads(made.value or b"")
    found |= {f"x{each}": 1 for each in range(members - len(found))}
    made.value = json.dumps(found).encode()
    return made


def with_description(text: str) -> FakeRecord:
    made = making.record(SQUAD)
    made.value = (made.value or b"")[:-1] + f', "description": {text}}}'.encode()
    return made


def with_limit(number: str) -> FakeRecord:
    made = making.record(commands.SetUsageLimit(squad_id=new_id(), metric="a", month="2026-05"))
    made.value = (made.value or b"")[:-1] + f', "limit": {number}}}'.encode()
    return made


def sent_at(seconds: float) -> FakeRecord:
    return making.record(USER, time=NOON + timedelta(seconds=seconds))


def twice(header: str) -> FakeRecord:
    made = plain()
    made.headers = [*made.headers, (header, dict(made.headers)[header])]
    return made


def nested(depth: int) -> FakeRecord:
    return with_description("[" * (depth - 1) + "]" * (depth - 1))


def with_roles(number: int) -> FakeRecord:
    made = making.record(SQUAD)
    made.value = json.dumps(json.loads(made.value or b"") | {"roles": ["a"] * number}).encode()
    return made


def keyed(key: bytes) -> FakeRecord:
    made = plain()
    made.key = key
    return made


def repeated(member: str) -> FakeRecord:
    made = plain()
    made.value = (made.value or b"")[:-1] + f', "{member}": "Ada"}}'.encode()
    return made


Make = Callable[[], FakeRecord]
TAKEN = "taken"
CASES: dict[str, dict[Make, str]] = {
    "size of the record": {lambda: padded(8_000): TAKEN, lambda: padded(8_001): "too-large"},
    "number of headers": {lambda: with_many_headers(12): TAKEN, lambda: with_many_headers(13): "too-large"},
    "size of all headers": {lambda: with_large_headers(2_000): TAKEN, lambda: with_large_headers(2_001): "too-large"},
    "members of an event in structured mode": {lambda: event_of(12): TAKEN, lambda: event_of(13): "too-large"},
    "depth of the JSON": {lambda: nested(5): "invalid-data", lambda: nested(6): "too-large"},
    "values of the JSON": {lambda: with_roles(17): TAKEN, lambda: with_roles(18): "too-large"},
    "ids, sources, types, keys, topics": {
        lambda: with_headers(("ce_id", b"x" * 255)): TAKEN,
        lambda: with_headers(("ce_id", b"x" * 256)): "unreadable",
        lambda: with_headers(("ce_source", b"")): "unreadable",
        lambda: with_headers(("ce_source", b"a\0b")): "unreadable",
    },
    "a header": {
        lambda: twice("ce_source"): "unreadable",
        lambda: with_headers(("ce_subject", b"\xff")): "unreadable",
    },
    "a version": {
        lambda: with_headers(("ce_expectedversion", b"9" * 18)): TAKEN,
        lambda: with_headers(("ce_expectedversion", b"9" * 19)): "unreadable",
        lambda: with_headers(("ce_expectedversion", b"-1")): "unreadable",
    },
    "a time": {
        lambda: with_headers(("ce_expirytime", b"9999-12-31T23:59:59.999999Z")): TAKEN,
        lambda: with_headers(("ce_time", b"2026-05-04T12:00:00")): "unreadable",
        lambda: with_headers(("ce_time", b"0000-01-01T00:00:00Z")): "unreadable",
        lambda: with_headers(("ce_expirytime", b"9999-12-31T23:59:59-23:59")): "unreadable",
        lambda: with_headers(("ce_time", b"2026-06-30T23:59:60Z")): "unreadable",
    },
    "age": {lambda: sent_at(-60): TAKEN, lambda: sent_at(-60.001): "too-old"},
    "clocks that are ahead": {lambda: sent_at(30): TAKEN, lambda: sent_at(30.001): "from-the-future"},
    "numbers": {
        lambda: with_limit("9007199254740991"): TAKEN,
        lambda: with_limit("-0"): TAKEN,
        **{
            partial(with_limit, number): "invalid-data"
            for number in ("9007199254740992", "-1", "1.0", "1e3", "1e400", "NaN", "Infinity", "9" * 1_000)
        },
        lambda: with_limit("01"): "unreadable",
        lambda: with_limit("9" * 4_301): "unreadable",
    },
    "texts": {
        lambda: with_description('"' + "\u00e9" * 1_500 + '"'): TAKEN,
        lambda: with_description('"\\u0000"'): "invalid-data",
        lambda: plain(name="x" * 201): "invalid-data",
        lambda: with_description('"\\ud800"'): "unreadable",
    },
    "a field": {lambda: repeated("name"): "invalid-data", lambda: plain(nmae="Ada"): "invalid-data"},
    "the key": {lambda: keyed(new_id().encode()): "key-mismatch", lambda: keyed(b"k" * 1_000): "key-mismatch"},
}
IN_THE_DATABASE = {"an id that was used before"}
"""Rows that tests/bad_records.py tries."""
ANSWERED = {"yes", "no", "yes; in structured mode no"}


def table() -> list[list[str]]:
    return rows_of(under(page("messages.md"), "## Limits"), "what")


def decoded(record: FakeRecord) -> Incoming:
    [incoming] = build_decoder(SETTINGS).decode([record])
    return incoming


def test_every_row_is_tried() -> None:
    assert [row[0] for row in table()] == [*CASES, *IN_THE_DATABASE]


@pytest.mark.parametrize("row", table(), ids=lambda row: row[0])
def test_each_limit_is_what_its_row_says(row: list[str]) -> None:
    what, limit, reasons, outcome = row
    assert {each for each in code_in(limit) if each.isupper()} <= {variable(name) for name in Settings.model_fields}
    assert outcome in ANSWERED
    for make, wanted in CASES.get(what, {}).items():
        incoming = decoded(make())
        found = TAKEN if incoming.refusal is None else str(incoming.refusal.reason)
        assert found == wanted, incoming.refusal
        if wanted in code_in(reasons):
            assert (incoming.envelope is not None) is outcome.startswith("yes"), wanted
    tried = {*CASES.get(what, {}).values()} - {TAKEN}
    assert what in IN_THE_DATABASE or tried >= code_in(reasons) & {*Reason}
