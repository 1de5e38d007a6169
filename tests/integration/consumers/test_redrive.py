"""Dead letters and what waits behind them are applied in order, once, whatever comes between."""

import asyncio
import json
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text

from checker.judge import Result
from consumers import inbox, queues
from consumers.culprits import Policy
from consumers.inbox import RivalError
from consumers.letter_filter import LetterState
from consumers.letter_locks import Act, SettledError, TakenError, UnfitError, WaitsError, claimed
from consumers.permissions import Permissions
from consumers.redrive import Ending, Redriver
from consumers.redrive_orders import Attempt, Order
from consumers.redrive_step import Step
from messages import codec
from tests import making
from tests.applying import TOPICS, Bench
from tests.integration.consumers.test_parking import APPLIED, DEAD, PARKED, Settling, execute, project
from tests.judging import judge_run
from tests.making import FakeRecord, new_id, record
from tests.poison import POISON, poison
from tests.relaying import RecordingPublisher, leading_relay

REDRIVE = Order(act=Act.REDRIVE, reason="mended", max_replays=3)
DISCARD = Order(act=Act.DISCARD, reason="given up", max_replays=3)
GIVEN_UP = ("dead-lettered", True)


@pytest.fixture(autouse=True)
def poisonous(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """`undo` is the fix that is deployed."""
    poison(monkeypatch)
    return monkeypatch


class Redriving(Settling):
    """A bench whose dead letters are redriven; it keeps what it was given."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench)
        self.applied: list[FakeRecord] = []

    async def settle(self, *records: FakeRecord, partition: int = 0) -> None:
        self.applied += records
        await super().settle(*records, partition=partition)

    def redriver(self, **options: Any) -> Redriver:
        step = Step(decoder=self.bench.processor._decoder, topics=TOPICS)
        given: dict[str, Any] = {"attempts": 1, "backoff_seconds": 0.001, "backoff_most_seconds": 0.01}
        return Redriver(database=self.bench.database, step=step, **given | options)

    async def letter(self, command_id: str) -> str:
        [(letter,)] = await self.bench.rows(
            "SELECT CAST(id AS text) FROM dead_letters WHERE command_id = :command_id", command_id=command_id
        )
        return str(letter)

    async def redrive(self, command_id: str, order: Order = REDRIVE, **options: Any) -> Ending:
        return await self.redriver(**options).settle(await self.letter(command_id), order)

    async def states(self) -> dict[str, tuple[str, int]]:
        return {
            row[0]: row[1:] for row in await self.bench.rows("SELECT command_id, state, replay_count FROM dead_letters")
        }

    async def events(self, stream: str) -> list[str]:
        """Give the ids of the commands that changed a stream, in order; numbers have no gaps."""
        events = [each for each in await self.bench.outbox() if each["key"] == stream]
        assert [each["sequence"] for each in events] == list(range(1, len(events) + 1))
        return [each["causation_id"] for each in events]

    async def told(self, command_id: str) -> list[tuple[str, int, bool]]:
        """Give what was published of a command: outcome, revision, final."""
        outcomes = [each for each in await self.bench.outcomes() if each["id"] == command_id]
        return [(each["outcome"], each["revision"], each["final"]) for each in outcomes]

    async def nothing_waits(self) -> bool:
        return await self.bench.rows("SELECT 1 FROM parked UNION ALL SELECT 1 FROM parked_streams") == []


@pytest_asyncio.fixture
async def redriving(bench: Bench) -> Redriving:
    made = Redriving(bench)
    await made.begin()
    return made


async def park(redriving: Redriving, *, last: int = 5) -> None:
    """Make command 0 a dead letter, with commands 1 and further waiting behind it."""
    await redriving.settle(project(redriving.mine, "0", name=POISON))
    await redriving.settle(*(project(redriving.mine, str(number)) for number in range(1, last + 1)))


async def test_dead_letter_and_all_that_waits_behind_it_are_applied_in_order(redriving, poisonous):
    await park(redriving)
    poisonous.undo()

    ending = await redriving.redrive("0")

    assert (ending.state, ending.decided, ending.left, ending.failed) == (LetterState.REDRIVEN, 6, 0, None)
    assert (await redriving.events(redriving.mine))[1:] == list("012345")
    assert await redriving.outcomes() == dict.fromkeys("012345", APPLIED)
    assert await redriving.told("0") == [("dead-lettered", 1, False), ("applied", 2, True)]
    assert await redriving.told("3") == [("parked", 1, False), ("applied", 2, True)]
    assert await redriving.states() == {"0": ("redriven", 0)}
    assert await redriving.nothing_waits()
    await redriving.settle(project(redriving.mine, "6"))
    assert await redriving.outcomes() == dict.fromkeys("0123456", APPLIED)


async def test_revisions_have_ids_of_their_own_and_repeats_are_the_last_one_byte_for_byte(redriving, poisonous):
    await park(redriving, last=1)
    poisonous.undo()
    await redriving.redrive("0")
    rows = await redriving.bench.rows(
        "SELECT value, key, header_names, header_values FROM dead_letters WHERE command_id = '0'"
    )
    [(value, key, names, values)] = rows

    await redriving.settle(FakeRecord(key=key, value=value, headers=list(zip(names, values, strict=True))))

    told = [each for each in await redriving.bench.outbox(TOPICS.outcomes) if each["causation_id"] == "0"]
    assert len({each["id"] for each in told[:2]}) == 2
    assert [(each["id"], each["body"]) for each in told[1:]] == [(told[1]["id"], told[1]["body"])] * 2
    assert (await redriving.events(redriving.mine)).count("0") == 1


async def test_kill_between_two_transactions_is_made_up_for_by_doing_it_again(redriving, poisonous):
    """What is parked meanwhile waits its turn, and what was done is not done again."""
    await park(redriving)
    poisonous.undo()
    letter, redriver = await redriving.letter("0"), redriving.redriver(max_records=2)
    async with redriving.bench.database.transaction() as session:
        await redriver._step.take(session, letter, REDRIVE, Attempt(most=2))

    assert await redriving.states() == {"0": ("redriving", 0)}
    await redriving.settle(project(redriving.mine, "6"))
    assert (await redriving.events(redriving.mine))[1:] == ["0", "1"]
    assert (await redriving.outcomes())["6"] == PARKED
    with pytest.raises(UnfitError, match="is decided already"):
        await redriving.redrive("0", DISCARD)
    assert (await redriver.settle(letter, REDRIVE)).decided == 5

    assert (await redriving.events(redriving.mine))[1:] == list("0123456")
    assert await redriving.states() == {"0": ("redriven", 0)}
    assert await redriving.nothing_waits()


@pytest.mark.parametrize("most", [1, 2, 3, 100])
async def test_progress_is_told_after_each_transaction(redriving, poisonous, most):
    await park(redriving)
    poisonous.undo()
    left: list[int] = []

    await redriving.redriver(max_records=most).settle(
        await redriving.letter("0"), REDRIVE, lambda ending: left.append(ending.left)
    )

    assert left == {1: [5, 4, 3, 2, 1, 0], 2: [4, 2, 0], 3: [3, 0], 100: [0]}[most]
    assert (await redriving.events(redriving.mine))[1:] == list("012345")


async def test_second_operator_is_told_that_another_one_is_at_it(redriving, poisonous, database):
    await park(redriving)
    poisonous.undo()
    letter = await redriving.letter("0")

    async with claimed(database, letter):
        with pytest.raises(TakenError, match="another operator is at dead letter"):
            await redriving.redrive("0")
    async with database.transaction() as session:
        await session.execute(text("SELECT 1 FROM dead_letters FOR UPDATE"))
        with pytest.raises(TakenError, match="another operator is at dead letter"):
            await redriving.redrive("0")
    assert await redriving.states() == {"0": ("open", 0)}

    endings = await asyncio.gather(*(redriving.redrive("0", max_records=1) for _ in range(4)), return_exceptions=True)
    assert [type(each) for each in endings].count(Ending) == 1
    assert all(isinstance(each, Ending | TakenError | SettledError) for each in endings)
    assert (await redriving.events(redriving.mine))[1:] == list("012345")


async def test_letter_that_fails_again_stays_open_and_its_stream_waits(redriving):
    await park(redriving)

    ending = await redriving.redrive("0")

    assert "ZeroDivisionError" in (ending.failed or "")
    assert await redriving.states() == {"0": ("open", 1)}
    assert await redriving.outcomes() == {"0": DEAD, **dict.fromkeys("12345", PARKED)}
    assert await redriving.told("0") == [("dead-lettered", 1, False)], "nothing is new to its producer"
    [(before, after)] = await redriving.bench.rows("SELECT before, after FROM audit")
    assert (before["replay_count"], after["replay_count"], after["state"]) == (0, 1, "open")


async def test_letter_that_was_redriven_in_vain_too_often_is_left_alone_unless_forced(redriving, poisonous):
    await park(redriving, last=1)
    for _ in range(3):
        await redriving.redrive("0")

    with pytest.raises(UnfitError, match="in vain 3 times; --force"):
        await redriving.redrive("0")
    poisonous.undo()
    forced = Order(act=Act.REDRIVE, reason="sure", max_replays=1_000_000)
    assert (await redriving.redrive("0", forced)).state is LetterState.REDRIVEN


async def test_parked_record_that_fails_becomes_the_dead_letter_that_the_rest_waits_behind(redriving, poisonous):
    await park(redriving, last=2)
    await redriving.settle(project(redriving.mine, "3", name="Other"), *(project(redriving.mine, n) for n in "45"))
    poisonous.undo()
    poison(poisonous, name="Other")

    ending = await redriving.redrive("0")

    assert (ending.state, ending.became_letters) == (LetterState.REDRIVEN, [await redriving.letter("3")])
    assert await redriving.states() == {"0": ("redriven", 0), "3": ("open", 0)}
    assert await redriving.outcomes() == {**dict.fromkeys("012", APPLIED), "3": DEAD, **dict.fromkeys("45", PARKED)}
    assert await redriving.told("3") == [("parked", 1, False), ("dead-lettered", 2, False)]
    assert await redriving.letter_of(redriving.mine) == "3"
    published = await redriving.bench.rows(
        "SELECT count(*) FROM outbox WHERE topic = :topic", topic=TOPICS.dead_letters
    )
    assert published == [(2,)]
    poisonous.undo()
    await redriving.redrive("3")
    assert (await redriving.events(redriving.mine))[1:] == list("012345")
    assert await redriving.told("3") == [("parked", 1, False), ("dead-lettered", 2, False), ("applied", 3, True)]


async def test_parked_record_of_a_type_that_continues_holds_nobody_up(redriving, poisonous):
    await park(redriving, last=1)
    await redriving.settle(project(redriving.mine, "2", name="Other"), project(redriving.mine, "3"))
    poisonous.undo()
    poison(poisonous, name="Other")

    await redriving.redrive("0", policies={"squad.create-project.v1": Policy.CONTINUE})

    assert await redriving.states() == {"0": ("redriven", 0), "2": ("open", 0)}
    assert (await redriving.events(redriving.mine))[1:] == ["0", "1", "3"]
    assert await redriving.nothing_waits()


async def test_failing_record_among_many_is_found_and_the_others_are_applied_together(redriving, poisonous):
    await redriving.settle(project(redriving.mine, "0", name=POISON))
    await redriving.settle(
        *(project(redriving.mine, str(n), name="Other" if n in {7, 30} else "Project") for n in range(1, 40))
    )
    poisonous.undo()
    poison(poisonous, name="Other")

    ending = await redriving.redrive("0", policies={"squad.create-project.v1": Policy.CONTINUE})

    assert sorted(ending.became_letters) == sorted([await redriving.letter("7"), await redriving.letter("30")])
    assert (await redriving.events(redriving.mine))[1:] == [str(n) for n in range(40) if n not in {7, 30}]


async def test_discarded_letter_gets_its_final_outcome_and_the_rest_is_applied(redriving, poisonous):
    await park(redriving, last=3)

    ending = await redriving.redrive("0", DISCARD, max_records=2)

    assert (ending.state, ending.decided) == (LetterState.DISCARDED, 4)
    assert await redriving.outcomes() == {"0": GIVEN_UP, **dict.fromkeys("123", APPLIED)}
    assert await redriving.told("0") == [("dead-lettered", 1, False), ("dead-lettered", 2, True)]
    assert (await redriving.events(redriving.mine))[1:] == list("123")
    assert await redriving.nothing_waits()
    for order in (REDRIVE, DISCARD):
        with pytest.raises(SettledError, match="is discarded, and nothing waits"):
            await redriving.redrive("0", order)


async def test_kill_while_the_rest_of_a_discarded_letter_is_applied_is_made_up_for(redriving):
    await park(redriving, last=3)
    letter, redriver = await redriving.letter("0"), redriving.redriver()
    async with redriving.bench.database.transaction() as session:
        await redriver._step.take(session, letter, DISCARD, Attempt(most=1))

    assert await redriving.states() == {"0": ("discarded", 0)}
    await redriver.settle(letter, DISCARD)

    assert await redriving.outcomes() == {"0": GIVEN_UP, **dict.fromkeys("123", APPLIED)}
    assert await redriving.told("0") == [("dead-lettered", 1, False), ("dead-lettered", 2, True)]
    assert await redriving.states() == {"0": ("discarded", 0)}


@pytest.mark.parametrize("order", [REDRIVE, DISCARD])
async def test_act_of_many_transactions_is_noted_once_whatever_fails_on_its_way(redriving, poisonous, order):
    """Some are decided, one fails, is found by halving and given up, and the rest goes on."""
    await park(redriving, last=3)
    await redriving.settle(project(redriving.mine, "4", name="Other"), *(project(redriving.mine, n) for n in "567"))
    poisonous.undo()
    poison(poisonous, name="Other")
    policies = {"squad.create-project.v1": Policy.CONTINUE}
    left: list[int] = []

    ending = await redriving.redriver(max_records=3, policies=policies).settle(
        await redriving.letter("0"), order, lambda so_far: left.append(so_far.left)
    )

    assert (len(ending.became_letters), ending.left) == (1, 0)
    assert len(left) > 3
    audits = await redriving.bench.rows("SELECT action, target, before, after FROM audit")
    [(action, target, before, after)] = audits
    assert (action, target) == (f"dead-letters {order.act}", f"dead_letters/{await redriving.letter('0')}")
    assert (before["state"], after["parked"]) == ("open", left[0])


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


async def two_queues(redriving: Redriving) -> tuple[str, str]:
    """Make commands 0 (of a user) and 1 (of a squad) dead letters; 2 writes both, 3 the user, 4 the squad."""
    user, squad = new_id(), new_id()
    await redriving.settle(
        record(making.register_user(user, name=POISON), command_id="0"),
        record(making.create_squad(redriving.ada, squad, name=POISON), command_id="1"),
        record(making.onboard(user, "new@example.org", squad, squad_optional=False), command_id="2"),
        record(making.rename_user(user, "Grace"), command_id="3"),
        project(squad, "4"),
    )
    assert await redriving.parked(user) == [(1, "2"), (2, "3")]
    assert await redriving.parked(squad) == [(1, "2"), (2, "4")]
    return user, squad


@pytest.mark.parametrize("order", ["01", "10"])
async def test_command_in_two_queues_waits_for_both_letters(redriving, poisonous, order):
    user, squad = await two_queues(redriving)
    poisonous.undo()
    first, second = order

    ending = await redriving.redrive(first)

    assert (ending.state, ending.decided) == (LetterState.REDRIVEN, 1)
    assert await redriving.letter_of(user) == await redriving.letter_of(squad) == second
    assert (await redriving.outcomes())["2"] == PARKED
    await redriving.redrive(second, max_records=2)
    outcomes = await redriving.outcomes()
    assert outcomes == {**dict.fromkeys("0134", APPLIED), "2": ("rejected", True)}
    assert await redriving.events(user) == ["0", "3"]
    assert await redriving.events(squad) == ["1", "4"]
    assert await redriving.nothing_waits()


@pytest.mark.parametrize("user_comes_first", [True, False])
async def test_streams_of_a_letter_for_two_go_on_in_their_own_order(redriving, poisonous, user_comes_first):
    user, squad = sorted((new_id(), new_id()), reverse=not user_comes_first)
    culprit = making.onboard(user, "new@example.org", squad, squad_optional=False)
    object.__setattr__(culprit, "name", POISON)
    await redriving.settle(
        record(culprit, command_id="0"),
        *(record(making.rename_user(user, f"Name {number}"), command_id=str(number)) for number in (1, 2, 3)),
        *(project(squad, str(number)) for number in (4, 5)),
        record(making.rename_user(user, "Other"), command_id="6"),
        record(making.rename_user(user, "Grace"), command_id="7"),
        project(squad, "8"),
    )
    poisonous.undo()
    poison(poisonous, name="Other")

    ending = await redriving.redrive("0", max_records=3)

    assert ending.state is LetterState.REDRIVEN
    assert await redriving.events(user) == list("0123")
    assert await redriving.events(squad) == list("0458")
    assert await redriving.states() == {"0": ("redriven", 0), "6": ("open", 0)}
    assert await redriving.letter_of(user) == "6"
    assert await redriving.letter_of(squad) == "(not parked)"


async def test_stream_that_is_parked_while_a_redrive_begins_is_seen(redriving, poisonous, monkeypatch):
    """A record that was parked in two streams is not taken from one queue while it is left in the other."""
    user, squad = new_id(), new_id()
    await redriving.settle(
        record(making.register_user(user, name=POISON), command_id="0"),
        record(making.onboard(user, "new@example.org", squad, squad_optional=False), command_id="1"),
    )
    poisonous.undo()
    found, looks = queues.fetch_streams, iter([[user]])

    async def see_late(session: Any, letter_id: str) -> list[str]:
        return next(looks, None) or await found(session, letter_id)

    with monkeypatch.context() as patch:
        patch.setattr(queues, "fetch_streams", see_late)
        await redriving.redrive("0")

    assert await redriving.told("1") == [("parked", 1, False), ("rejected", 2, True)]
    assert await redriving.nothing_waits()


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


async def test_letter_whose_stream_waits_behind_another_one_waits_too(database, poisonous):
    redriving = Redriving(Bench(database))
    await redriving.begin()
    made = record(making.create_project(redriving.mine), command_id="1", extensions={"replyto": "shop.outcomes"})
    await redriving.settle(project(redriving.mine, "0", name=POISON), made)
    redriving.bench.processor = Bench(database, replies=["shop.outcomes"]).processor
    poisonous.undo()

    with pytest.raises(WaitsError, match="waits behind another one"):
        await redriving.redrive("1")
    assert await redriving.states() == {"0": ("open", 0), "1": ("open", 0)}
    await redriving.redrive("0")
    await redriving.redrive("1")
    assert (await redriving.events(redriving.mine))[1:] == ["0", "1"]


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


async def test_sweep_that_waited_sees_what_was_decided_before_it(redriving, poisonous):
    project_id = new_id()
    await redriving.settle(
        record(making.create_project(redriving.mine, project_id, name=POISON), command_id="0"),
        *(record(making.create_task(redriving.mine, project_id), command_id=str(number)) for number in (1, 2)),
        record(making.complete_project_tasks(redriving.mine, project_id), command_id="3"),
    )
    poisonous.undo()
    await redriving.redrive("0")

    [last] = [each["data"] for each in await redriving.bench.outbox() if each["causation_id"] == "3"]
    assert last["count"] == 2


async def test_redrive_beside_consumers_of_the_same_stream_lets_nothing_overtake(redriving, poisonous, database):
    """The stream has no root yet, so nothing of it can be locked; commands come while what waits is applied."""
    squad = new_id()
    await redriving.settle(record(making.create_squad(redriving.ada, squad, name=POISON), command_id="c0"))
    letter, numbers = await redriving.letter("c0"), iter(range(1, 10_000))
    many, done = asyncio.Event(), asyncio.Event()

    async def consume() -> None:
        after = 0
        while after < 3:
            after += done.is_set()
            await redriving.settle(project(squad, f"c{next(numbers)}"))
            if len(await redriving.parked(squad)) >= 10:
                many.set()

    consuming = asyncio.create_task(consume())
    await many.wait()
    poisonous.undo()
    try:
        await redriving.redriver(max_records=8).settle(letter, REDRIVE)
    finally:
        done.set()
        await consuming

    last = next(numbers)
    assert await redriving.events(squad) == [f"c{number}" for number in range(last)]
    assert await redriving.bench.rows("SELECT DISTINCT outcome, outcome_final FROM inbox") == [APPLIED]
    assert await redriving.told("c1") == [("parked", 1, False), ("applied", 2, True)]
    assert await redriving.told(f"c{last - 1}") == [("applied", 1, True)]
    assert await redriving.nothing_waits()
    assert not redriving.readers.stopped


async def test_checker_finds_nothing_wrong_with_what_was_parked_redriven_and_discarded(redriving, poisonous, database):
    user, squad = await two_queues(redriving)
    await redriving.settle(
        project(redriving.mine, "5", name=POISON),
        project(redriving.mine, "6", name="Other"),
        project(redriving.mine, "7"),
    )
    poisonous.undo()
    await redriving.redrive("0")
    await redriving.redrive("1", DISCARD)
    poison(poisonous, name="Other")
    await redriving.redrive("5")
    poisonous.undo()
    await redriving.redrive("6", max_records=1)

    publisher = RecordingPublisher()
    async with leading_relay(database, publisher) as relay:
        await relay.pass_once()
    verdict = await judge_run(database, redriving.applied, publisher.records)

    assert verdict.result is Result.PASS, verdict.tell()
    assert await redriving.events(user) == ["0", "3"]
    assert await redriving.events(squad) == []
    assert (await redriving.events(redriving.mine))[1:] == ["5", "6", "7"]


async def test_outcomes_say_what_the_tables_say(redriving, poisonous):
    """The inbox keeps what is told; state and events agree after all of it."""
    await park(redriving)
    poisonous.undo()
    await redriving.redrive("0")

    rows = await redriving.bench.rows("SELECT outcome, outcome_revision, outcome_final, outcome_body FROM inbox")
    for outcome, revision, final, body in rows:
        told = json.loads(body)
        assert (told["outcome"], told["revision"], told["final"]) == (outcome, revision, final)
    told_state, state = await redriving.bench.retold()
    assert told_state == state
