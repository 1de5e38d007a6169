"""The verbs by which operators see dead letters and what is parked, on a real database."""

import asyncio
import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from app.cli.main import app
from consumers import letter_search
from consumers.letter_filter import Filter
from consumers.letter_search import NoLetterError
from db.database import Database
from tests.applying import Bench
from tests.making import TOPIC, FakeRecord, new_id, record, register_user

EMAIL = "ada.lovelace@example.org"


@pytest.fixture
def bench(database: Database) -> Bench:
    return Bench(database)


@pytest.fixture
def invoke(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a verb, and gives its result."""
    monkeypatch.setenv("SQUAD_DATABASE_URL", database_url)

    async def run(*arguments: str) -> Any:
        result = await asyncio.to_thread(CliRunner().invoke, app, arguments)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture
def squad(invoke: Any) -> Any:
    """Runs a verb that prints JSON Lines, and gives what it printed."""

    async def run(*arguments: str) -> list[dict[str, Any]]:
        result = await invoke(*arguments, *([] if "export" in arguments else ["--json"]))
        assert result.exit_code == 0, result.output
        return [json.loads(line) for line in result.stdout.splitlines()]

    return run


def misspelt(user_id: str, command_id: str) -> FakeRecord:
    """Give a command with a field too many, and personal data."""
    made = record(register_user(user_id, email=EMAIL), command_id=command_id)
    made.value = json.dumps(json.loads(made.value or b"") | {"nam": "Ada"}).encode()
    return made


def secret(user_id: str) -> FakeRecord:
    made = record(register_user(user_id), command_id="secret")
    made.headers = [
        (name, b"user.set-password-hash.v1" if name == "ce_type" else value) for name, value in made.headers
    ]
    made.value = b'{"user_id": "secret", "password_hash": "$argon2id$hush"}'
    return made


async def strew(bench: Bench, user_id: str) -> None:
    """Make dead letters of four kinds, each in a transaction of its own, so that their order is known."""
    other = new_id()
    unknown = [
        FakeRecord(key=other.encode(), value=b'{"email": "%b"}' % EMAIL.encode(), headers=made.headers)
        for made in (record(register_user(other), command_id=f"unknown-{number}") for number in range(2))
    ]
    for each in unknown:
        each.headers = [(n, b"user.befriend.v1" if n == "ce_type" else v) for n, v in each.headers]
        each.headers = [*each.headers, ("email", EMAIL.encode())]
    unreadable = FakeRecord(key=EMAIL.encode(), value=EMAIL.encode())
    for each in (misspelt(user_id, "misspelt"), *unknown, unreadable, secret(user_id)):
        await bench.apply(each)


async def test_dead_letters_are_found_by_what_they_are_and_page_by_page(bench: Bench, squad: Any) -> None:
    user_id = new_id()
    await strew(bench, user_id)

    everything = await squad("dead-letters", "list")
    assert [each["reason"] for each in everything] == [
        *("invalid-data", "unknown-type", "unknown-type", "unreadable", "invalid-data"),
    ]
    for chosen, expected in (
        (["--code", "unknown-type"], [1, 2]),
        (["--type", "user.register.v1"], [0]),
        (["--key", user_id], [0, 4]),
        (["--command-id", "unknown-1"], [2]),
        (["--text", "USER.BEFRIEND"], [1, 2]),
        (["--topic", TOPIC, "--partition", "0"], [0, 1, 2, 3, 4]),
        (["--partition", "1"], []),
        (["--state", "redriven", "--state", "discarded"], []),
        (["--until", "2020-01-01T00:00:00Z"], []),
        (["--since", "2020-01-01T00:00:00Z", "--limit", "2"], [0, 1]),
        (["--after", everything[1]["id"], "--limit", "2"], [2, 3]),
    ):
        assert await squad("dead-letters", "list", *chosen) == [everything[place] for place in expected], chosen


async def test_page_that_was_begun_goes_on_across_states(bench: Bench, squad: Any) -> None:
    await strew(bench, new_id())
    async with bench.database.transaction() as session:
        await session.execute(text("UPDATE dead_letters SET state = 'redriving' WHERE command_id LIKE 'unknown%'"))

    places: list[str] = []
    last: list[str] = []
    while page := await squad("dead-letters", "list", "--limit", "2", *last):
        places += [each["place"] for each in page]
        last = ["--after", page[-1]["id"]]
    assert places == [f"{TOPIC}[0]@{offset}" for offset in range(5)]


async def test_groups_are_counted_whatever_ids_and_numbers_their_details_have(bench: Bench, squad: Any) -> None:
    records = [record(register_user(), command_id=f"{number}") for number in range(3)]
    for each in records:
        each.key = new_id().encode()
    await bench.apply(*records, FakeRecord(key=None, value=b""))

    first, second = await squad("dead-letters", "groups")
    assert (first["count"], first["reason"], first["type"]) == (3, "key-mismatch", "user.register.v1")
    assert first["detail"] == "the record's key is not <id>"
    assert first["example"] in {each["id"] for each in await squad("dead-letters", "list", "--code", "key-mismatch")}
    assert (second["count"], second["reason"]) == (1, "unreadable")


DETAILS = """
    UPDATE dead_letters
    SET detail = format('Error, sqlstate %s, in f (rows.py:%s)',
                        (ARRAY['22P02', '22P02', '22012'])[record_offset + 1], record_offset)
"""


async def test_groups_tell_the_databases_states_apart(bench: Bench, squad: Any, database: Database) -> None:
    await bench.apply(*(FakeRecord(key=None, value=b"", offset=number) for number in range(3)))
    async with database.transaction() as session:
        await session.execute(text(DETAILS))

    found = [(each["count"], each["detail"]) for each in await squad("dead-letters", "groups")]
    assert found == [
        (2, "Error, sqlstate 22P02, in f (rows.py:<n>)"),
        (1, "Error, sqlstate 22012, in f (rows.py:<n>)"),
    ]


async def test_nothing_personal_is_shown_of_a_dead_letter(bench: Bench, invoke: Any, squad: Any) -> None:
    user_id = new_id()
    await strew(bench, user_id)
    letters = await squad("dead-letters", "list")

    shown = [(await squad("dead-letters", "show", each["id"]))[0] for each in letters]
    assert shown[0]["record"]["data"] == {"user_id": user_id, "email": "***", "name": "***", "nam": "***"}
    assert shown[0]["outcome"] == {"outcome": "dead-lettered", "revision": 1, "final": False}
    assert shown[1]["record"]["data_bytes"] == 37
    assert shown[1]["record"]["headers"]["email"] == "***"
    assert shown[3]["record"]["key"] == f"({len(EMAIL)} bytes, no id)"
    for verb in (["list"], ["list", "--json"], ["groups"], ["export"], ["show", letters[0]["id"]]):
        output = (await invoke("dead-letters", *verb)).output
        assert EMAIL not in output
        assert "hush" not in output


async def test_raw_export_needs_a_reason_is_audited_and_holds_no_secret(
    bench: Bench, invoke: Any, squad: Any, tmp_path: Path
) -> None:
    user_id, path = new_id(), tmp_path / "letters.jsonl"
    await strew(bench, user_id)

    assert (await invoke("dead-letters", "export", "--raw")).exit_code == 2
    assert await bench.rows("SELECT count(*) FROM audit") == [(0,)]
    chosen = ["--to", str(path), "--raw", "--reason", "the producer asked"]
    assert (await invoke("dead-letters", "export", *chosen)).exit_code == 0

    exported = [json.loads(line) for line in path.read_text().splitlines()]
    assert path.stat().st_mode & 0o777 == 0o600
    assert b64decode(exported[0]["record"]["value"]) == misspelt(user_id, "misspelt").value
    assert dict(exported[0]["record"]["headers"])["ce_id"] == "bWlzc3BlbHQ="
    assert (exported[4]["record"]["value"], exported[4]["record"]["value_withheld_bytes"]) == (None, 56)
    [(action, reason, before)] = await bench.rows("SELECT action, reason, before FROM audit")
    assert (action, reason, before["letters"]) == ("dead-letters export", "the producer asked", {"open": 5})
    assert (await invoke("dead-letters", "export", "--state", "discarded")).stdout == ""


async def test_export_goes_on_page_by_page(bench: Bench, squad: Any) -> None:
    await bench.apply(*(FakeRecord(key=None, value=b"%d" % number) for number in range(120)))

    assert len({each["id"] for each in await squad("dead-letters", "export")}) == 120


async def test_what_is_parked_is_listed_by_stream_and_shown_in_order(bench: Bench, squad: Any) -> None:
    stream, empty = new_id(), new_id()
    await bench.apply(misspelt(stream, "head"))
    [(letter,)] = await bench.rows("SELECT CAST(id AS text) FROM dead_letters")
    async with bench.database.transaction() as session:
        await session.execute(
            text("INSERT INTO parked_streams VALUES (:stream, :letter, now()), (:empty, :letter, now())"),
            {"stream": stream, "empty": empty, "letter": letter},
        )
        for number in (2, 1, 3):
            made = record(register_user(stream, email=EMAIL), command_id=f"parked-{number}")
            names, values = zip(*made.headers, strict=True)
            await session.execute(
                text(
                    "INSERT INTO parked (stream, number, topic, partition, record_offset, timestamp, key, value,"
                    " header_names, header_values) VALUES (:stream, :number, 't', 0, :number, now(), :key, :value,"
                    " :names, :values)"
                ),
                {"stream": stream, "number": number, "key": made.key, "value": made.value}
                | {"names": list(names), "values": list(values)},
            )

    listed = {each["stream"]: each for each in await squad("parked", "list", "--dead-letter", letter)}
    assert {each: listed[each]["records"] for each in listed} == {stream: 3, empty: 0}
    assert (listed[stream]["behind"], listed[stream]["reason"]) == (letter, "invalid-data")
    assert await squad("parked", "list", "--stream", new_id()) == []
    shown = await squad("parked", "show", stream, "--after", "1")
    assert [(each["number"], each["headers"]["ce_id"]) for each in shown] == [(2, "parked-2"), (3, "parked-3")]
    assert shown[0]["data"]["email"] == "***"
    [letter_shown] = await squad("dead-letters", "show", letter)
    assert {each["stream"]: each["records"] for each in letter_shown["parked"]} == {stream: 3, empty: 0}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["list", "--code", "odd"], "odd is none; there are: unreadable"),
        (["list", "--state", "odd"], "odd is none; there are: open"),
        (["list", "--since", "yesterday"], "--since"),
        (["show", "4711"], "4711 is no id"),
    ],
)
async def test_options_that_mean_nothing_are_refused(invoke: Any, arguments: list[str], said: str) -> None:
    result = await invoke("dead-letters", *arguments)

    assert result.exit_code == 2
    assert said in " ".join(result.output.replace("│", " ").split())


async def test_letter_that_is_none_is_an_error(invoke: Any) -> None:
    for arguments in (["show", new_id()], ["list", "--after", new_id()]):
        with pytest.raises(NoLetterError):
            await invoke("dead-letters", *arguments)


async def test_page_is_walked_along_the_index_and_ends_at_its_limit(bench: Bench) -> None:
    async with bench.database.transaction() as session:
        await session.execute(
            text(
                "INSERT INTO dead_letters (id, topic, partition, record_offset, timestamp, header_names, header_values,"
                " reason, detail, first_at) SELECT gen_random_uuid(), 't', 0, n, now(), '{}', '{}', 'unreadable', 'so',"
                " now() + n * interval '1 s' FROM generate_series(1, 20000) n"
            )
        )
        await session.execute(text("ANALYZE dead_letters"))
        [last] = (await letter_search.fetch_page(session, Filter(), limit=10_000))[-1:]
        after = {"after_at": last.first_at, "after_id": last.id, "limit": 100}
        explain = text(f"EXPLAIN (ANALYZE, FORMAT JSON) {letter_search.FETCH.text}")
        plans = await session.scalar(explain, Filter().parameters() | after)

    nodes = [(plans if isinstance(plans, list) else json.loads(plans))[0]["Plan"]]
    for node in nodes:
        nodes.extend(node.get("Plans", ()))
    [walk] = [node for node in nodes if node.get("Relation Name") == "dead_letters"]
    assert walk["Index Name"] == "ix_dead_letters_state"
    assert walk["Actual Rows"] * walk["Actual Loops"] < 300
