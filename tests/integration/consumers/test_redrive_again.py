"""A redriven command is read anew: what it is by now, and what is known and told of it from before."""

import json
from typing import Any

import pytest

from checker.judge import Result
from consumers import inbox
from consumers.inbox import RivalError
from consumers.letter_locks import UnfitError
from consumers.permissions import Permissions
from messages import codec
from tests import making
from tests.applying import Bench
from tests.judging import judge_run
from tests.making import FakeRecord, record
from tests.poison import POISON, poison
from tests.redriving import DISCARD, REDRIVE, Redriving, park
from tests.relaying import RecordingPublisher, leading_relay
from tests.settling import APPLIED, DEAD, execute, project

pytestmark = pytest.mark.usefixtures("poisonous")


async def settle_as_before(redriving: Redriving, patch: pytest.MonkeyPatch, made: FakeRecord) -> None:
    """Settle a record as a release does that has none of the types."""
    with patch.context() as earlier:
        earlier.setattr(codec, "COMMANDS", {})
        await redriving.settle(FakeRecord(key=made.key, value=made.value, headers=made.headers))


def spaced_out(made: FakeRecord) -> FakeRecord:
    """Write the same command in other bytes than ours: as refused bytes it is not what it is as a command."""
    made.value = json.dumps(json.loads(made.value or b""), indent=4).encode()
    return made


async def test_repeat_of_a_discarded_command_is_a_duplicate(redriving, poisonous):
    """The operator's release can read it, that of the consumers cannot: it stays known by what it was to them."""
    made = spaced_out(project(redriving.mine, "0"))
    await settle_as_before(redriving, poisonous, made)
    assert await redriving.bench.rows("SELECT reason FROM dead_letters") == [("unknown-type",)]

    await redriving.redrive("0", DISCARD)
    await settle_as_before(redriving, poisonous, made)

    assert await redriving.told("0") == [("dead-lettered", 1, False), *[("dead-lettered", 2, True)] * 2]
    assert await redriving.bench.rows("SELECT state, reason FROM dead_letters") == [("discarded", "unknown-type")]


async def test_repeat_of_a_command_that_became_readable_is_a_duplicate(redriving, poisonous):
    """What was noted of it was made of bytes that nobody could read; now it is known by what it says."""
    made = spaced_out(project(redriving.mine, "0"))
    await settle_as_before(redriving, poisonous, made)

    await redriving.redrive("0")
    await redriving.settle(FakeRecord(key=made.key, value=made.value, headers=made.headers))

    assert await redriving.told("0") == [("dead-lettered", 1, False), *[("applied", 2, True)] * 2]
    assert await redriving.bench.rows("SELECT state, reason FROM dead_letters") == [("redriven", "unknown-type")]


async def test_outcome_is_replaced_by_its_next_revision_only(redriving, poisonous):
    """Else who was slow puts an older outcome in the place of a newer one, under a number that is told already."""
    await redriving.settle(project(redriving.mine, "0", name=POISON), project(redriving.mine, "1", name="Other"))
    poisonous.undo()
    poison(poisonous, name="Other")
    written: list[Any] = []
    replace = inbox.replace

    async def note(session: Any, rows: Any) -> None:
        written[:] = rows
        await replace(session, rows)

    poisonous.setattr(inbox, "replace", note)
    await redriving.redrive("0")
    assert await redriving.told("1") == [("parked", 1, False), ("dead-lettered", 2, False)]
    stored = "SELECT xmin, payload_hash, outcome, outcome_revision, outcome_body FROM inbox WHERE command_id = '1'"
    before = await redriving.bench.rows(stored)
    [late] = [row for row in written if row[1] == "1"]

    with pytest.raises(RivalError, match="replaced by somebody else"):
        async with redriving.bench.database.transaction() as session:
            await replace(session, [late])

    assert await redriving.bench.rows(stored) == before


async def test_letter_that_is_too_old_can_only_be_discarded(redriving):
    old = project(redriving.mine, "0")
    old.timestamp += 8 * 86_400_000
    await redriving.settle(old)

    with pytest.raises(UnfitError, match="is too old"):
        await redriving.redrive("0")
    await redriving.redrive("0", DISCARD)
    assert await redriving.told("0") == [("dead-lettered", 1, False), ("dead-lettered", 2, True)]


async def test_record_that_becomes_readable_is_applied_with_the_next_revision(database):
    """Its outcome was that of content that nobody could read; repeats are known by what it says now."""
    redriving = Redriving(Bench(database))
    await redriving.begin()
    made = record(making.create_project(redriving.mine), command_id="0", extensions={"replyto": "shop.outcomes"})
    await redriving.settle(made)
    assert await redriving.outcomes() == {"0": DEAD}

    redriving.bench.processor = Bench(database, replies=["shop.outcomes"]).processor
    await redriving.redrive("0")

    assert await redriving.told("0") == [("dead-lettered", 1, False), ("applied", 2, True)]
    await Redriving.settle(redriving, FakeRecord(key=made.key, value=made.value, headers=made.headers))
    assert (await redriving.told("0"))[1:] == [("applied", 2, True)] * 2
    assert await redriving.states() == {"0": ("redriven", 0)}


async def test_record_whose_sender_nobody_could_name_is_applied_once_it_may(database):
    bench = Bench(database, permissions=Permissions(sources={"/elsewhere": ("*",)}))
    redriving = Redriving(bench)
    forbidden = record(making.register_user(redriving.ada), command_id="0")
    await bench.apply(forbidden)
    [(letter, reason)] = await bench.rows("SELECT CAST(id AS text), reason FROM dead_letters")
    assert (reason, await redriving.outcomes()) == ("source-forbidden", {})
    assert (await redriving.redriver().settle(letter, REDRIVE)).failed is not None

    bench.processor = Bench(database).processor
    await redriving.redriver().settle(letter, REDRIVE)

    assert await redriving.told("0") == [("applied", 1, True)]
    assert await bench.rows("SELECT state, replay_count FROM dead_letters") == [("redriven", 1)]


def only(*types: str) -> Permissions:
    """Give permissions by which the tests' source may send these types only."""
    return Permissions(sources={making.SOURCE: types})


async def test_letter_whose_sender_is_forbidden_by_now_gets_its_final_outcome_when_it_is_discarded(database):
    """Its producer was told that more will follow, and waits; a copy that nobody answered changes nothing."""
    redriving = Redriving(Bench(database))
    await redriving.begin()
    made = record(making.create_project(redriving.mine), command_id="0", extensions={"replyto": "shop.outcomes"})
    await redriving.settle(made)
    redriving.bench.processor = Bench(database, permissions=only("user.*")).processor
    await redriving.bench.apply(FakeRecord(key=made.key, value=made.value, headers=made.headers))
    rows = await redriving.bench.rows("SELECT CAST(id AS text), reason FROM dead_letters ORDER BY record_offset")
    (letter, _), (copy, reason) = rows
    assert reason == "source-forbidden"

    assert "may not send" in str((await redriving.redriver().settle(copy, REDRIVE)).failed)
    await redriving.redriver().settle(copy, DISCARD)
    assert await redriving.told("0") == [("dead-lettered", 1, False)]
    await redriving.redriver().settle(letter, DISCARD)
    assert await redriving.told("0") == [("dead-lettered", 1, False), ("dead-lettered", 2, True)]


async def test_parked_command_whose_sender_is_forbidden_by_now_is_told_so_and_may_be_given_up(database, poisonous):
    redriving = Redriving(Bench(database))
    await redriving.begin()
    await redriving.settle(project(redriving.mine, "0", name=POISON))
    await redriving.settle(record(making.transfer(redriving.mine, redriving.bob), command_id="1"))
    poisonous.undo()
    redriving.bench.processor = Bench(database, permissions=only("squad.create-project.v1")).processor

    await redriving.redrive("0")

    assert await redriving.outcomes() == {"0": APPLIED, "1": DEAD}
    assert await redriving.told("1") == [("parked", 1, False), ("dead-lettered", 2, False)]
    assert await redriving.bench.rows("SELECT reason FROM dead_letters WHERE command_id = '1'") == [
        ("source-forbidden",)
    ]
    publisher = RecordingPublisher()
    async with leading_relay(database, publisher) as relay:
        await relay.pass_once()
    verdict = await judge_run(database, redriving.applied, publisher.records)
    assert verdict.result is Result.PASS, verdict.tell()
    await redriving.redrive("1", DISCARD)
    assert (await redriving.told("1"))[2:] == [("dead-lettered", 3, True)]


async def test_letter_with_another_ones_id_stays_a_conflict_whatever_becomes_of_that_one(redriving, poisonous):
    await redriving.settle(project(redriving.mine, "0", name=POISON), project(redriving.other, "0"))
    rows = await redriving.bench.rows("SELECT CAST(id AS text), reason FROM dead_letters ORDER BY record_offset")
    (first, _), (second, reason) = rows
    assert reason == "id-conflict"
    poisonous.undo()

    assert (await redriving.redriver().settle(second, REDRIVE)).failed == "the id was used before, with other content"
    await redriving.redriver().settle(first, REDRIVE)
    assert (await redriving.redriver().settle(second, REDRIVE)).failed == "the id was used before, with other content"
    await redriving.redriver().settle(second, DISCARD)

    assert await redriving.told("0") == [("dead-lettered", 1, False), ("applied", 2, True)]


async def test_letter_whose_command_the_inbox_keeps_is_applied_however_high_the_floor_is(redriving, poisonous):
    """It was not forgotten: what waits for a redrive never is."""
    await park(redriving, last=1)
    poisonous.undo()
    await execute(redriving.bench.database, "UPDATE inbox_floor SET pruned_before = '2026-06-01T00:00:00Z'")

    await redriving.redrive("0")

    assert await redriving.outcomes() == dict.fromkeys("01", APPLIED)


async def test_letter_whose_command_may_be_forgotten_is_not_applied(database):
    """Nobody could name its sender, so its id may have been used and be forgotten since."""
    redriving = Redriving(Bench(database, permissions=Permissions(sources={"/elsewhere": ("*",)})))
    await redriving.settle(record(making.register_user(redriving.ada), command_id="0"))
    [(letter,)] = await redriving.bench.rows("SELECT CAST(id AS text) FROM dead_letters")
    redriving.bench.processor = Bench(database).processor
    await execute(redriving.bench.database, "UPDATE inbox_floor SET pruned_before = '2026-06-01T00:00:00Z'")

    ending = await redriving.redriver().settle(letter, REDRIVE)

    assert "floor" in (ending.failed or "")
    assert await redriving.outcomes() == {}


async def test_parked_record_that_nobody_can_read_any_more_is_a_dead_letter_of_its_own(database, poisonous):
    redriving = Redriving(Bench(database, replies=["shop.outcomes"]))
    await redriving.begin()
    made = record(making.create_project(redriving.mine), command_id="1", extensions={"replyto": "shop.outcomes"})
    await redriving.settle(project(redriving.mine, "0", name=POISON), made, project(redriving.mine, "2"))
    redriving.bench.processor = Bench(database).processor
    poisonous.undo()

    await redriving.redrive("0")

    assert await redriving.outcomes() == {"0": APPLIED, "1": DEAD, "2": APPLIED}
    assert await redriving.told("1") == [("parked", 1, False), ("dead-lettered", 2, False)]
    assert await redriving.states() == {"0": ("redriven", 0), "1": ("open", 0)}
    assert await redriving.nothing_waits()


async def test_commands_are_decided_by_the_times_of_their_records_and_expire_by_the_databases(redriving, poisonous):
    soon = {"expirytime": "2026-05-04T12:00:01Z"}
    await redriving.settle(
        project(redriving.mine, "0", name=POISON),
        record(making.create_project(redriving.mine), command_id="1", extensions=soon),
    )
    poisonous.undo()
    await redriving.redrive("0")

    assert await redriving.outcomes() == {"0": APPLIED, "1": ("expired", True)}
    [decided] = await redriving.bench.rows("SELECT DISTINCT decided_at FROM inbox")
    assert decided == (making.NOON,)
