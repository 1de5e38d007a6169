"""Operators redrive and discard dead letters, one or many, and every act is noted."""

import asyncio
import json
from typing import Any

import pytest
import pytest_asyncio
from typer.testing import CliRunner

from app.cli.main import app
from consumers.letter_locks import Act, SettledError, UnfitError
from consumers.redrive_orders import Attempt, Order
from consumers.redrive_step import Step
from tests.applying import TOPICS, Bench
from tests.making import FakeRecord, new_id, record, register_user
from tests.poison import POISON, poison
from tests.settling import APPLIED, DEAD, PARKED, Settling, project


@pytest.fixture
def squad(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a verb with `--json`, and gives its exit code and what it printed."""
    monkeypatch.setenv("SQUAD_DATABASE_URL", database_url)
    monkeypatch.setenv("SQUAD_BACKOFF_FIRST_SECONDS", "0.001")

    async def run(*arguments: str) -> tuple[int, list[dict[str, Any]]]:
        given = ["dead-letters", *arguments, "--json", *([] if "--reason" in arguments else ["--reason", "mended"])]
        result = await asyncio.to_thread(CliRunner().invoke, app, given)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, [json.loads(line) for line in result.stdout.splitlines()]

    return run


@pytest_asyncio.fixture
async def settling(database: Any, monkeypatch: pytest.MonkeyPatch) -> Settling:
    made = Settling(Bench(database))
    await made.begin()
    with monkeypatch.context() as patch:
        poison(patch)
        await made.settle(project(made.mine, "0", name=POISON), project(made.mine, "1"))
        await made.settle(project(made.other, "2", name=POISON), project(made.other, "3"))
        await made.settle(FakeRecord(key=None, value=b""))
    return made


async def letters(settling: Settling) -> list[tuple[str, str]]:
    return await settling.bench.rows("SELECT CAST(id AS text), state FROM dead_letters ORDER BY first_at")


async def audits(settling: Settling) -> list[tuple[str, str]]:
    return await settling.bench.rows("SELECT action, target FROM audit ORDER BY id")


async def test_one_dead_letter_is_redriven_by_its_id(settling: Settling, squad: Any) -> None:
    [(letter, _), *_] = await letters(settling)

    code, [result] = await squad("redrive", letter)

    assert (code, result["became"], result["decided"], result["parked"]) == (0, "redriven", 2, 0)
    assert await settling.outcomes() == {"0": APPLIED, "1": APPLIED, "2": DEAD, "3": PARKED}
    assert await audits(settling) == [("dead-letters redrive", f"dead_letters/{letter}")]
    [(actor, reason, before, after)] = await settling.bench.rows("SELECT actor, reason, before, after FROM audit")
    assert "@" in actor
    assert (reason, before["state"], after) == ("mended", "open", {"state": "redriven", "parked": 0})
    with pytest.raises(SettledError):
        await squad("redrive", letter)


@pytest.mark.parametrize("flags", [[], ["--dry-run"], ["--execute", "--dry-run"]])
async def test_many_are_only_counted_unless_they_are_to_be_executed(
    settling: Settling, squad: Any, flags: list[str]
) -> None:
    code, [planned] = await squad("redrive", "--code", "unexpected", *flags)

    assert code == 0
    assert planned == {
        "act": "redrive",
        "executed": False,
        "letters": 2,
        "too_old": 0,
        "in_vain_too_often": 0,
        "parked": 2,
        "half_discarded": 0,
    }
    assert {state for _, state in await letters(settling)} == {"open"}
    assert await audits(settling) == []


@pytest.mark.parametrize("act", ["redrive", "discard"])
async def test_one_that_is_to_be_tried_dry_is_left_alone(settling: Settling, squad: Any, act: str) -> None:
    [(letter, _), *_] = await letters(settling)

    assert await squad(act, letter, "--dry-run") == (2, [])

    assert {state for _, state in await letters(settling)} == {"open"}
    assert await audits(settling) == []


async def test_many_are_redriven_with_the_counts_before_and_after(settling: Settling, squad: Any) -> None:
    ids = [letter for letter, _ in await letters(settling)]

    code, [*each, result] = await squad("redrive", "--all", "--execute")

    assert [(one["id"], one["became"]) for one in each] == list(
        zip(ids, ["redriven", "redriven", "failed"], strict=True)
    )
    assert code == 1
    assert result == {
        "act": "redrive",
        "executed": True,
        "became": {"redriven": 2, "failed": 1},
        "before": {"open": 3},
        "after": {"redriven": 2, "open": 1},
    }
    assert await settling.outcomes() == dict.fromkeys("0123", APPLIED)
    assert await audits(settling) == [
        ("dead-letters redrive", "dead_letters"),
        *[("dead-letters redrive", f"dead_letters/{letter}") for letter in ids],
        ("dead-letters redrive, ended", "dead_letters"),
    ]
    assert (await squad("redrive", "--code", "unexpected", "--execute"))[1][-1]["became"] == {}


async def test_many_are_discarded_and_what_waited_is_applied(settling: Settling, squad: Any) -> None:
    code, [*_, result] = await squad("discard", "--all", "--execute", "--reason", "not worth it")

    assert (code, result["became"]) == (0, {"discarded": 3})
    final = ("dead-lettered", True)
    assert await settling.outcomes() == {"0": final, "1": APPLIED, "2": final, "3": APPLIED}


@pytest.mark.parametrize("act", ["discard", "redrive"])
async def test_discard_that_was_killed_half_way_is_ended_by_whoever_settles_all(
    settling: Settling, squad: Any, act: str
) -> None:
    [(letter, _), *_] = await letters(settling)
    step = Step(decoder=settling.bench.processor._decoder, topics=TOPICS)
    order = Order(act=Act.DISCARD, reason="spoilt", max_replays=3)
    async with settling.bench.database.transaction() as session:
        await step.take(session, letter, order, Attempt(most=1))
    assert await settling.outcomes() == {"0": ("dead-lettered", True), "1": PARKED, "2": DEAD, "3": PARKED}

    _, [planned] = await squad(act, "--all")
    assert planned["half_discarded"] == 1
    _, [ended, *_] = await squad(act, "--all", "--execute")

    assert (ended["id"], ended["became"], ended["parked"]) == (letter, "discarded", 0)
    assert (await settling.outcomes())["1"] == APPLIED


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize("many", [False, True])
async def test_progress_is_shown_after_each_transaction_of_one_and_of_many(
    settling: Settling, squad: Any, monkeypatch: pytest.MonkeyPatch, many: bool, as_json: bool
) -> None:
    """Of many, too: thousands may wait behind one of them. Lines of JSON are what became of each, and no more."""
    await settling.settle(*(project(settling.mine, number) for number in "456"))
    first, second, third = [letter for letter, _ in await letters(settling)]
    monkeypatch.setenv("SQUAD_BATCH_MAX_COMMANDS", "2")

    chosen = ["--all", "--execute"] if many else [first]
    given = ["dead-letters", "redrive", *chosen, "--reason", "mended", *(["--json"] if as_json else [])]
    result = await asyncio.to_thread(CliRunner().invoke, app, given)

    lines = result.stderr.splitlines()
    if as_json:
        assert lines == []
    elif many:
        assert lines[:4] == [
            f"{first}: 2 decided, 3 wait",
            f"{first}: 4 decided, 1 wait",
            f"1 {first} redriven",
            f"2 {second} redriven",
        ]
        assert [line.partition(":")[0] for line in lines[4:]] == [f"3 {third} failed"]
        assert ["became", '{"redriven":', "2,", '"failed":', "1}"] in [
            line.split() for line in result.stdout.splitlines()
        ]
    else:
        assert lines == ["2 decided, 3 wait", "4 decided, 1 wait", "5 decided, 0 wait"]
        assert ["became", "redriven"] in [line.split() for line in result.stdout.splitlines()]


async def test_letters_that_wait_behind_another_one_are_redriven_after_it(
    settling: Settling, squad: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first one's command is readable by now, but its stream waits behind the second."""
    await settling.bench.rows("SELECT 1")
    user = new_id()
    forbidden = record(register_user(user), command_id="4", extensions={"replyto": "shop.outcomes"})
    with monkeypatch.context() as patch:
        poison(patch)
        await settling.settle(forbidden)
        await settling.settle(record(register_user(user, name=POISON), command_id="5"))
    monkeypatch.setenv("SQUAD_REPLY_TOPICS", "shop.outcomes")

    _, [*each, result] = await squad("redrive", "--key", user, "--execute")

    assert [one["became"] for one in each] == ["redriven", "redriven"]
    assert result["became"] == {"redriven": 2}
    assert await settling.outcomes() == {
        "0": DEAD,
        "1": PARKED,
        "2": DEAD,
        "3": PARKED,
        "5": APPLIED,
        "4": ("rejected", True),
    }


async def test_letter_redriven_in_vain_too_often_needs_force(
    settling: Settling, squad: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    [(letter, _), *_] = await letters(settling)
    with monkeypatch.context() as patch:
        poison(patch)
        for _ in range(3):
            code, [result] = await squad("redrive", letter)
            assert (code, result["became"], result["decided"], result["parked"]) == (1, "failed", 0, 1)

    with pytest.raises(UnfitError, match="--force"):
        await squad("redrive", letter)
    assert (await squad("redrive", "--code", "unexpected"))[1][0]["in_vain_too_often"] == 1
    assert (await squad("redrive", letter, "--force"))[1][0]["became"] == "redriven"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ([], 2),
        (["--execute"], 2),
        (["--all", "--code", "unexpected"], 2),
        (["4711"], 2),
        (["--all", "--reason", " "], 2),
    ],
)
async def test_act_needs_to_be_told_what_it_is_about_and_why(squad: Any, arguments: list[str], code: int) -> None:
    assert await squad("redrive", *arguments) == (code, [])
