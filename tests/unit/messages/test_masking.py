"""What of messages is shown: nothing personal, and nothing that nobody knows."""

import json
from dataclasses import dataclass, fields
from typing import Annotated

import pytest
from pydantic import ValidationError

from app.lines import as_line, as_object
from domain.state import User
from domain.values import PersonName, PlanTier
from messages import masking
from messages.codec import tell_faults
from messages.marks import hints_of, is_personal, is_secret
from messages.masking import MASK, HiddenError, read_masked
from messages.registry import COMMANDS, EVENTS, OUTCOME
from tests.contracts.examples import EXAMPLES
from tests.making import NOON, FakeRecord

SECRET = "ada.lovelace@example.org"
REGISTER = "user.register.v1"
TYPES = [*COMMANDS.values(), *EVENTS.values(), OUTCOME]


def encoded(**data: object) -> bytes:
    return json.dumps(data).encode()


@pytest.mark.parametrize("message", TYPES, ids=lambda message: message.name)
def test_examples_are_shown_but_for_their_personal_fields(message):
    example = message.encode(EXAMPLES[message.name])
    personal = {name for name, hint in hints_of(message.form).items() if is_personal(hint) or is_secret(hint)}

    shown = read_masked(message.name, example)

    assert {name for name, value in shown.items() if value == MASK} == personal & set(json.loads(example))
    assert {name: value for name, value in shown.items() if value != MASK} == {
        name: value for name, value in json.loads(example).items() if name not in personal
    }


def test_fields_that_the_class_does_not_have_are_masked():
    shown = read_masked(
        "user.registered.v1", encoded(plan_tier="free", nickname=SECRET, more={"a": [SECRET]}, none=None)
    )

    assert shown == {"plan_tier": "free", "nickname": MASK, "more": MASK, "none": None}


def test_parts_of_a_message_are_masked_by_their_own_classes():
    members = [{"member_id": "1", "role": "tester", "name": SECRET}, SECRET]

    assert read_masked("squad.created.v1", encoded(members=members))["members"] == [
        {"member_id": "1", "role": "tester", "name": MASK},
        MASK,
    ]


def test_personal_fields_are_masked_wherever_they_are_marked(monkeypatch):
    @dataclass
    class Part:
        name: PersonName

    @dataclass
    class Whole:
        names: tuple[PersonName, ...]
        parts: Annotated[tuple[Part, ...] | None, "some"]
        size: int

    monkeypatch.setitem(masking._FORMS, "whole.v1", Whole)
    value = encoded(names=[SECRET], parts=[{"name": SECRET}], size=3)

    assert read_masked("whole.v1", value) == {"names": MASK, "parts": [{"name": MASK}], "size": 3}


@pytest.mark.parametrize(
    ("type_name", "value"),
    [
        ("user.registered.v9", encoded(email=SECRET)),
        (None, encoded(email=SECRET)),
        (REGISTER, SECRET.encode()),
        (REGISTER, b"\xff"),
        (REGISTER, f'["{SECRET}"]'.encode()),
        (REGISTER, b"[" * 100_000),
        (REGISTER, None),
    ],
)
def test_of_what_nobody_knows_only_the_size_is_told(type_name, value):
    with pytest.raises(HiddenError) as hidden:
        read_masked(type_name, value)

    assert hidden.value.size_bytes == len(value or b"")


def a_record(type_name: str, value: bytes, **headers: bytes) -> FakeRecord:
    names = {"content_type": "content-type"}
    more = [(names.get(name, name), content) for name, content in headers.items()]
    return FakeRecord(key=b"k", value=value, headers=[("ce_type", type_name.encode()), *more])


def test_listings_mask_unless_told_otherwise():
    record = a_record(REGISTER, encoded(user_id="1", email=SECRET, name=SECRET))

    assert as_line(record).endswith('{"user_id": "1", "email": "***", "name": "***"}')
    assert as_object(record)["data"] == {"user_id": "1", "email": MASK, "name": MASK}
    assert as_object(record, unmasked=True)["data"]["email"] == SECRET
    assert SECRET in as_line(record, unmasked=True)


@pytest.mark.parametrize(
    "record",
    [
        a_record("unknown.v1", encoded(email=SECRET)),
        a_record(REGISTER, encoded(data={"email": SECRET}), content_type=b"application/cloudevents+json"),
        a_record(REGISTER, SECRET.encode()),
    ],
)
def test_listings_tell_only_the_size_of_what_nobody_knows(record):
    assert SECRET not in as_line(record) + json.dumps(as_object(record))
    assert as_object(record)["data_bytes"] == len(record.value)
    assert f"({len(record.value)} bytes, not shown)" in as_line(record)
    assert SECRET in as_line(record, unmasked=True)
    assert SECRET in json.dumps(as_object(record, unmasked=True))


@pytest.mark.parametrize(
    "record",
    [
        a_record("user.set-password-hash.v1", encoded(user_id="1", password_hash=SECRET)),
        a_record("user.set-password-hash.v2", encoded(password_hash=SECRET)),
        a_record("user.set-password-hash.v1", SECRET.encode()),
        a_record(
            "?",
            encoded(type="user.set-password-hash.v1", data={"password_hash": SECRET}),
            content_type=b"application/cloudevents+json",
        ),
    ],
)
@pytest.mark.parametrize("unmasked", [False, True])
def test_secrets_are_shown_to_nobody(record, unmasked):
    assert SECRET not in as_line(record, unmasked=unmasked)
    assert SECRET not in json.dumps(as_object(record, unmasked=unmasked))


def test_types_with_secrets_are_known_by_their_marks():
    assert [message.name for message in TYPES if any(is_secret(hint) for hint in hints_of(message.form).values())] == [
        "user.set-password-hash.v1"
    ]


def test_objects_with_secrets_do_not_print_them():
    command = EXAMPLES["user.set-password-hash.v1"]
    user = User("1", "a@x", "a@x", "Ada", True, False, PlanTier.FREE, NOON, password_hash=SECRET, loaded=(SECRET,))

    assert command.password_hash not in repr(command)
    assert SECRET not in repr(user)


@pytest.mark.parametrize("message", COMMANDS.values(), ids=lambda message: message.name)
@pytest.mark.parametrize("wrong", [SECRET, SECRET * 100, [SECRET], {SECRET: SECRET}, 1843_1815, True], ids=repr)
def test_what_is_wrong_is_told_without_any_value(message, wrong):
    told = []
    for data in ({each.name: wrong for each in fields(message.form)}, {SECRET: wrong}, wrong):
        with pytest.raises(ValidationError) as refused:
            message.decode(json.dumps(data).encode())
        told.append(json.dumps(tell_faults(refused.value)))

    assert all("lovelace" not in text and "18431815" not in text for text in told)


def test_name_of_an_unknown_field_is_told_if_it_looks_like_one():
    with pytest.raises(ValidationError) as refused:
        COMMANDS["squad.complete-task.v1"].decode(encoded(tpyo=1, **{SECRET: 1, "Ada Lovelace": 2}))

    assert {"tpyo", "(no name of a field)"} <= tell_faults(refused.value).keys()
