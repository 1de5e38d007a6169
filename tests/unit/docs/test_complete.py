"""What there is, the documents name; what they name, there is."""

import importlib
import re
from configparser import ConfigParser
from pathlib import Path
from typing import get_args

import pytest

from app.cli import faults
from app.ending import EXIT_CUT
from app.monitoring.names import METRICS
from app.settings import Settings, variable
from app.status import shown as shown_status
from consumers import dead_letters
from consumers.dead_letters import Refused
from db import forms
from db.models import Base
from docs.parts.command_line import verbs
from domain.rejections import Code
from messages.outcome import Outcome
from messages.refusals import Reason
from messages.registry import COMMANDS, EVENTS, OUTCOME
from outbox import refused as refusing
from outbox import wire
from outbox.append import Outbox
from outbox.diverting import divert
from stack import docker, variables
from stack.choice import Kind
from tests import making
from tests.unit.app.test_status import WELL

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
STYLE_WORDS = {
    *("record", "message", "envelope", "command", "event", "handler", "stream", "batch", "outcome", "inbox", "outbox"),
    *("position", "cursor", "checkpoint", "offset", "relay", "lease", "dead letter", "lag", "backlog", "age"),
}
NOT_MET_IN_CODE = {"Kafka's tools", "the cursor beside the outbox", "no name of its own", "`.importlinter`"}


def page(name: str) -> str:
    return (DOCS / name).read_text()


def code_in(text: str) -> set[str]:
    """Everything between single back-ticks."""
    return set(re.findall(r"(?<!`)`([^`\n]+)`(?!`)", text))


def rows_of(text: str, first: str) -> list[list[str]]:
    """The rows of the first table whose head begins with a word."""
    table = text[text.index(f"| {first} |") :].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table]


def under(text: str, heading: str) -> str:
    """A section, up to the next heading."""
    return re.split(r"^#+ ", text[text.index(heading) + len(heading) :], maxsplit=1, flags=re.MULTILINE)[0]


def test_every_setting_is_documented() -> None:
    assert code_in(page("settings.md")) >= {variable(name) for name in Settings.model_fields}


def test_no_page_names_a_setting_that_is_none() -> None:
    known = {variable(name) for name in Settings.model_fields} | {*variables.MEANINGS, "SQUAD_RECORD_"}
    for document in (*DOCS.glob("**/*.md"), ROOT / "CHANGELOG.md"):
        assert set(re.findall(r"\bSQUAD_[A-Z_]*[A-Z_]", document.read_text())) - {"SQUAD_"} <= known, document.name


def test_every_variable_and_kind_of_the_local_stack_is_documented() -> None:
    text = page("local-stack.md")

    assert {row[0] for row in rows_of(text, "variable")} == {f"`{name}`" for name in variables.MEANINGS}
    assert [row[0] for row in rows_of(text, "kind")] == [f"`{kind}`" for kind in get_args(Kind)]
    assert all(image in text for image in docker.IMAGES.values())


def test_metrics_that_the_pages_name_are_those_that_are_exported() -> None:
    text = page("metrics.md")
    alerts = " ".join(row[1] for row in rows_of(text, "alert"))

    assert {
        row[0]
        for head in ("### Every process", "### Consumers", "### Relays")
        for row in rows_of(text[text.index(head) :], "metric")
    } == {f"`{name}`" for name in METRICS}
    assert set(re.findall(r"squad_[a-z_]+", alerts)) <= METRICS.keys()
    named = {
        name for name in code_in(page("operations.md")) if re.fullmatch(r"squad_[a-z_]+_(seconds|total|rows)", name)
    }
    assert named
    assert named <= METRICS.keys()


def test_every_verb_is_documented() -> None:
    assert set(re.findall(r"^### `squad (.+)`$", page("command-line.md"), re.M)) == {words for words, _ in verbs()}


@pytest.mark.parametrize("document", [*sorted(DOCS.glob("**/*.md")), ROOT / "CHANGELOG.md"], ids=lambda path: path.name)
def test_every_verb_that_a_page_names_exists(document: Path) -> None:
    named = {match.strip() for match in re.findall(r"(?:`|^)squad ((?:[a-z][a-z-]* ?)+)", document.read_text(), re.M)}
    known = {words for words, _ in verbs()}

    assert {each for each in named if not any(f"{each} ".startswith(f"{words} ") for words in known)} == set()


def test_every_exit_code_is_documented() -> None:
    codes = {faults.EXIT_FAILED, faults.EXIT_USAGE, faults.EXIT_UNREACHABLE, EXIT_CUT, 0, 130, 143}

    assert {int(row[0]) for row in rows_of(page("command-line.md"), "exit code")} == codes


def test_every_message_type_is_documented() -> None:
    text = page("messages.md")
    types = {*COMMANDS, *(message.name for message in EVENTS.values())}

    assert set(re.findall(r"^### `(.+\.v\d+)`$", text, re.M)) == types
    assert OUTCOME.name in code_in(text)


def test_every_rejection_code_is_documented() -> None:
    assert {row[0] for row in rows_of(page("messages.md"), "code")} == {f"`{code}`" for code in Code}


def test_every_rejection_code_is_raised_by_a_command() -> None:
    assert [row[0] for row in rows_of(page("messages.md"), "code") if row[2] == "no command"] == []


def test_every_dead_letter_reason_is_documented() -> None:
    assert {row[0] for row in rows_of(page("messages.md"), "reason")} == {f"`{reason}`" for reason in Reason}


def test_every_outcome_is_explained() -> None:
    assert {f"{outcome}" for outcome in Outcome} <= code_in(under(page("messages.md"), "## Outcomes"))


def test_every_header_of_events_and_outcomes_is_documented() -> None:
    row = (
        1,
        "t",
        b"k",
        "id",
        "x",
        "/s",
        "now",
        1,
        "c",
        "d",
        "trace",
        "urn:x",
        "now",
        "application/json",
        '{"tracestate": "a=1"}',
        *[None] * 2,
        b"",
    )
    [record] = wire.wrap([making.read_row(row)])

    documented = code_in(under(page("messages.md"), "### On events and outcomes"))
    assert {name for name, _ in record.headers()} == {
        name for name in documented if re.match(r"ce_|trace|content", name)
    }


def test_every_header_of_commands_is_documented() -> None:
    read = {"correlationid", "causationid", "traceparent", "tracestate", "expirytime", "expectedversion"}
    read |= {"replyto", "recordedtime", "partitionkey"}
    record = making.record(making.register_user(), extensions=dict.fromkeys(read, "1"))

    documented = {name for row in rows_of(page("messages.md"), "header") for name in code_in(row[0])}
    assert {name for name, _ in record.headers} == documented


def test_every_header_of_dead_letters_is_documented() -> None:
    record = making.FakeRecord(key=b"k" * 2_000, value=b"v" * 2_000, headers=[("h", b"h" * 2_000)])
    outbox = Outbox()
    letter = Refused(record, None, Reason.UNREADABLE, "so")
    dead_letters.append(outbox, letter, topic="t", source="/s", time_microseconds=0, max_bytes=1_000)

    [row] = outbox.rows
    [names] = [each for each in row if isinstance(each, list) and "dead-letter-id" in each]
    content = (1, "t", b"k" * 2_000, "id", "x", "/s", "now", *[None] * 5, "now", *[None] * 4, b"v" * 2_000)
    [refused] = wire.wrap([making.read_row(content)])
    diverted = divert(refusing.Refused(record=refused, reason="so"), topic="t", max_bytes=1_000)
    assert {*names, *(name for name, _ in diverted.headers())} == {
        name for name in code_in(page("messages.md")) if name.startswith("dead-letter-")
    }


def test_every_decision_is_in_the_index() -> None:
    decisions = {path.name for path in (DOCS / "adr").glob("*.md")} - {"README.md"}

    assert set(re.findall(r"\]\(([^)/]+\.md)\)", page("adr/README.md"))) == decisions
    assert all(re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", name) for name in decisions)


def test_every_page_is_reachable_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()

    assert [path.name for path in DOCS.glob("*.md") if f"docs/{path.name}" not in readme] == []


def test_rooms_of_the_architecture_are_those_of_the_layers() -> None:
    contracts = ConfigParser()
    contracts.read(ROOT / ".importlinter")
    layers = [
        re.findall(r"\w+", line) for line in contracts["importlinter:contract:rooms"]["layers"].split("\n") if line
    ]

    assert [re.findall(r"\w+", row[0]) for row in rows_of(page("architecture.md"), "room")] == layers


def test_modules_that_meet_kafka_are_those_of_the_rules() -> None:
    contracts = ConfigParser()
    contracts.read(ROOT / ".importlinter")
    allowed = set(re.findall(r"(\S+) -> aiokafka", contracts["importlinter:contract:kafka"]["ignore_imports"]))
    [line] = re.findall(r"^- Only (.+?) import the\s+Kafka client", page("architecture.md"), re.M | re.S)

    assert code_in(line) == allowed


@pytest.mark.parametrize("document", sorted(DOCS.glob("**/*.md")), ids=lambda path: path.name)
def test_files_and_directories_that_a_page_names_exist(document: Path) -> None:
    named = {text for text in code_in(document.read_text()) if re.fullmatch(r"[\w.-]+(/[\w.-]+)*/([\w-]+\.\w+)?", text)}

    assert {text for text in named if not (ROOT / text).exists()} == set()


def test_every_word_of_the_house_is_in_the_glossary() -> None:
    assert {row[0] for row in rows_of(page("glossary.md"), "word")} >= STYLE_WORDS


def test_words_of_the_glossary_are_met_where_it_says() -> None:
    places = {row[2] for row in rows_of(page("glossary.md"), "word")} - NOT_MET_IN_CODE
    for place in places:
        module, _, name = place.strip("`").rpartition(".")
        try:
            importlib.import_module(place.strip("`"))
        except ModuleNotFoundError:
            assert hasattr(importlib.import_module(module), name), place


def test_every_column_of_the_status_is_documented() -> None:
    text = under(page("operations.md"), "### `squad status`")
    shown = shown_status.describe(WELL)

    for part in ("processes", "partitions", "shards"):
        named = {name for row in rows_of(text, part) for name in code_in(row[0])}
        assert set(shown[part][0]) == named, part
    assert {"attention", "dead_letters", "parked", "controls"} <= code_in(text)


def test_sql_of_the_documents_names_tables_and_columns_that_exist() -> None:
    blocks = re.findall(r"^```sql\n(.*?)^```", page("operations.md"), re.M | re.S)
    known = set(Base.metadata.tables) | {
        column.name for table in Base.metadata.tables.values() for column in table.columns
    }
    known |= {"squad_consumer", "outbox_position", "age", "squad", "commands", "consumers", "now"}

    assert blocks
    for block in blocks:
        assert {word for word in re.findall(r"\b[a-z_]+\b", block) if word not in known} == set(), block


def test_consumers_are_granted_every_table_that_commands_write() -> None:
    [granted] = re.findall(r"^GRANT SELECT, INSERT, UPDATE ON (.+?)\s+TO", page("operations.md"), re.M | re.S)

    assert {form.table.name for form in vars(forms).values() if isinstance(form, forms.Form)} <= {
        *re.findall(r"\w+", granted)
    }


@pytest.mark.parametrize(
    "said",
    [
        "cannot be applied: ",
        "records are gone unread",
        "the breaker is open: ",
        "but the log ends at ",
        "the culprit's error",
        "kafka refuses the outbox row at position ",
        "schema or rights do not fit this release (`squad migrate`?): ",
        "failure, the same records again",
        "going on after ",
        "relay interrupted",
        "shards not looked at",
        "kafka takes nothing place=",
        "kafka takes rows again place=",
        "relay stands still shard=",
        "no server is as it has to be: ",
        "belongs to another place",
        "was restored under the cursor",
        "kafka unavailable",
        "kafka available again",
        "event loop blocked for ",
        "event loop goes on after ",
    ],
)
def test_what_the_operator_is_to_look_for_is_what_the_program_says(said: str) -> None:
    sources = "".join(
        path.read_text() for room in ("app", "consumers", "db", "outbox") for path in (ROOT / room).glob("**/*.py")
    )

    assert said.strip() in " ".join(page("operations.md").split())
    assert said in sources
