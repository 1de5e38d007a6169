"""The verbs by which operators look after the relay, on a real database."""

from typing import Any

import pytest

from db.database import Database
from outbox.errors import UnmergeableError
from outbox.hold_requests import NotHeldError
from tests.relaying import RecordingPublisher, execute, fetch_rows, leading_relay, write_rows


async def test_held_rows_are_listed_skipped_and_released_by_an_operator(database: Database, squad: Any) -> None:
    publisher = RecordingPublisher(refuse=lambda _: True)
    await write_rows(database, "a", [1, 2, 3])
    async with leading_relay(database, publisher) as relay:
        await relay.pass_once()
        (hold,) = await squad("holds", "list")
        assert (hold["topic"], hold["key"], hold["rows"], hold["requested"]) == ("squad.events", "a", 3, None)

        (skipped,) = await squad("holds", "skip", "--position", str(hold["position"]), "--reason", "broken")
        assert skipped == {"position": hold["position"], "requested": "skip", "others": "hold"}
        await relay.pass_once()
        (released,) = await squad("holds", "release", "--topic", "squad.events", "--key", "a", "--reason", "fixed")
        assert released["rows"] == 2
        assert [each["requested"] for each in await squad("holds", "list", "--key", "a")] == ["release"]
        publisher.refuse = lambda _: False
        await relay.pass_once()

    assert len(publisher.records) == 2
    assert await squad("holds", "list") == []
    notes = await fetch_rows(database, "SELECT action, reason FROM audit ORDER BY id")
    assert [tuple(note) for note in notes] == [("holds skip", "broken"), ("holds release", "fixed")]
    with pytest.raises(NotHeldError):
        await squad("holds", "release", "--topic", "squad.events", "--key", "a", "--reason", "again")


async def test_outbox_is_divided_by_an_operator(database: Database, squad: Any) -> None:
    shards = await squad("relay", "reshard", "--shards", "2", "--reason", "more to do")
    assert [(each["when"], each["slot_from"], each["slot_to"]) for each in shards] == [
        ("before", 0, 1023),
        ("after", 0, 511),
        ("after", 512, 1023),
    ]
    for key in ("a", "b", "c", "d"):
        await write_rows(database, key, [1])
    async with leading_relay(database, RecordingPublisher()) as relay:
        await relay.pass_once()
    with pytest.raises(UnmergeableError):
        await squad("relay", "reshard", "--shards", "1", "--wait-seconds", "0", "--reason", "less to do")


async def test_status_and_a_rebase_that_is_first_only_said(database: Database, squad: Any) -> None:
    await write_rows(database, "a", [1, 2])
    async with leading_relay(database, RecordingPublisher()) as relay:
        await relay.pass_once()
    await write_rows(database, "a", [3])
    await execute(database, "UPDATE relay_cursors SET system_identifier = 4711")
    (status,) = await squad("relay", "status")
    assert (status["shard"], status["backlog_rows"], status["current"]) == (0, 1, None)
    assert "squad relay rebase" in status["refusal"]

    (said,) = await squad("relay", "rebase", "--reason", "restored")
    assert (said["rows"], said["repeated"], said["done"]) == (1, 0, False)
    assert "squad relay rebase" in (await squad("relay", "status"))[0]["refusal"]
    (done,) = await squad("relay", "rebase", "--from-time", "2020-01-01T00:00:00Z", "--reason", "restored", "--yes")
    assert (done["rows"], done["repeated"], done["done"]) == (3, 2, True)
    (status,) = await squad("relay", "status")
    assert (status["backlog_rows"], status["refusal"]) == (3, None)


@pytest.mark.parametrize(
    "arguments",
    [("--from-now", "--from-position", "1"), ("--from-time", "yesterday"), ("--from-time", "2026-01-01T00:00:00")],
)
async def test_a_rebase_begins_at_one_place(squad: Any, arguments: tuple[str, ...]) -> None:
    with pytest.raises(AssertionError):
        await squad("relay", "rebase", *arguments, "--reason", "x")


@pytest.mark.parametrize(
    "arguments",
    [
        ("release", "--topic", "squad.events", "--reason", "x"),
        ("release", "--position", "1", "--reason", " "),
        ("release", "--topic", "t", "--key", "\\xzz", "--reason", "x"),
        ("skip", "--position", "1"),
    ],
)
async def test_half_of_what_a_verb_needs_is_a_usage_error(squad: Any, arguments: tuple[str, ...]) -> None:
    with pytest.raises(AssertionError):
        await squad("holds", *arguments)
