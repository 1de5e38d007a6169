"""What other teams rely on: types, schemas and golden messages, held against the code.

Golden messages of released versions never change. A new type gets a file by `python -m tests.contracts.test_contracts`,
which writes only what is missing.
"""

import json
from pathlib import Path

import jsonschema
import pytest

from domain.commands import Command
from domain.events import Event
from domain.tables import RULES
from messages import schemas
from messages.registry import COMMANDS, EVENTS, OUTCOME
from tests.contracts.examples import EXAMPLES

GOLDEN = Path(__file__).parent / "golden"
TYPES = {**COMMANDS, **{each.name: each for each in EVENTS.values()}, OUTCOME.name: OUTCOME}


def test_every_command_has_a_type_and_a_rule():
    assert {message.form for message in COMMANDS.values()} == set(Command.__args__) == set(RULES)


def test_every_event_has_a_type():
    assert set(EVENTS) == set(Event.__args__)


def test_every_type_has_an_example_and_a_golden_message():
    assert set(EXAMPLES) == set(TYPES) == {path.stem for path in GOLDEN.glob("*.json")}


@pytest.mark.parametrize("name", sorted(TYPES))
def test_golden_message_is_what_we_write_and_read(name):
    golden = (GOLDEN / f"{name}.json").read_bytes().rstrip(b"\n")

    assert TYPES[name].encode(EXAMPLES[name]) == golden
    assert TYPES[name].decode(golden) == EXAMPLES[name]


@pytest.mark.parametrize("name", sorted(TYPES))
def test_golden_message_fits_its_published_schema(name):
    schema = json.loads((schemas.PUBLISHED / f"{name}.json").read_text())
    golden = json.loads((GOLDEN / f"{name}.json").read_text())

    jsonschema.Draft202012Validator.check_schema(schema)
    checker = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
    checker.validate(golden)
    with pytest.raises(jsonschema.ValidationError):
        checker.validate({})


def test_published_schemas_are_those_of_the_code():
    published = {path.name: path.read_text() for path in schemas.PUBLISHED.glob("*.json")}

    assert published == schemas.build_all(), "run `python -m messages.schemas`"


def test_commands_refuse_unknown_fields_and_events_are_read_with_them():
    with pytest.raises(ValueError, match="tpyo"):
        COMMANDS["squad.complete-task.v1"].decode(b'{"tpyo": 1}')
    tasks = json.loads((GOLDEN / "squad.create-tasks.v1.json").read_text())
    tasks["tasks"][0]["tpyo"] = 1
    with pytest.raises(ValueError, match="tpyo"):
        COMMANDS["squad.create-tasks.v1"].decode(json.dumps(tasks).encode())
    golden = json.loads((GOLDEN / "squad.task-completed.v1.json").read_text())
    assert TYPES["squad.task-completed.v1"].decode(json.dumps(golden | {"later": 1}).encode())


def test_personal_fields_are_marked_and_no_event_has_one():
    marked = {
        f"{name}.{field}"
        for name in TYPES
        for field, described in schemas.build_schema(TYPES[name], "validation")["properties"].items()
        if described.get("x-personal")
    }

    assert marked == {
        *(f"user.register.v1.{field}" for field in ("email", "name")),
        *(f"user.register-if-absent.v1.{field}" for field in ("email", "name")),
        *(f"squad.onboard-user.v1.{field}" for field in ("email", "name")),
        "user.rename.v1.name",
        "user.verify-email.v1.email",
        "user.change-email.v1.email",
        "squad.submit-feedback.v1.comment",
    }


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for missing in TYPES.keys() - {path.stem for path in GOLDEN.glob("*.json")}:
        (GOLDEN / f"{missing}.json").write_bytes(TYPES[missing].encode(EXAMPLES[missing]) + b"\n")
