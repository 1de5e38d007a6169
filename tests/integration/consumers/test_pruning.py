"""The inbox forgets only what can come again too late alone, and in small steps."""

import asyncio
import json
import logging
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import make_url, text

from app import upkeep
from consumers import checkpoints
from consumers.caught_up import CaughtUp, Drained
from consumers.inbox_floor import NO_CHECKPOINT, PRODUCERS_TIME, Rule
from consumers.pruning import LOCK, Pruner
from consumers.records import Partition
from db.database import Database
from domain.commands import Command
from tests import making
from tests.acceptance.conftest import running
from tests.applying import GROUP, Bench, StatementCounter
from tests.making import TOPIC, FakeRecord, record
from tests.relaying import Noted

NOW = datetime.now(UTC).replace(microsecond=0)
OPERATIONS = Path(__file__).parents[3] / "docs/operations.md"
LIMIT, SKEW = 100, 10
RULE = Rule(age_limit_seconds=LIMIT, skew_seconds=SKEW, keep_seconds=0)


@pytest.fixture
def bench(database: Database) -> Bench:
    return Bench(database, age_limit_seconds=LIMIT, skew_seconds=SKEW)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def arrived(command: Command, *, sent: float, seconds_ago: float, command_id: str | None = None) -> FakeRecord:
    """A command that was sent and appended so many seconds ago."""
    stamp = round(ago(seconds_ago).timestamp() * 1000)
    return record(command, time=ago(sent), timestamp=stamp, command_id=command_id)


def sent_long_ago(number: int) -> list[FakeRecord]:
    return [
        arrived(making.register_user(), sent=1000 - each, seconds_ago=1000 - each, command_id=str(each))
        for each in range(number)
    ]


async def catch_up(bench: Bench, *partitions: int) -> None:
    """Let the partitions be seen drained a moment ago."""
    drained = {Partition(TOPIC, each): (bench.next_offsets.get(each, 0), NOW) for each in partitions}
    async with bench.database.transaction() as session:
        assert await checkpoints.note_caught_up(session, GROUP, drained) == len(partitions)


async def remembered(bench: Bench) -> list[str]:
    return [row[0] for row in await bench.rows("SELECT command_id FROM inbox ORDER BY ce_time")]


async def test_slow_partition_keeps_rows_until_it_has_caught_up(bench):
    """Its unread duplicates get their outcome; once it has caught up, the rows go, and no repeat is applied."""
    command = making.register_user()
    await bench.apply(arrived(command, sent=1000, seconds_ago=1000, command_id="1"))
    await bench.apply(arrived(making.register_user(), sent=1500, seconds_ago=1500, command_id="0"), partition=1)
    await catch_up(bench, 0)
    pruner = Pruner(database=bench.database, rule=RULE)

    assert await pruner.prune_once() == 0
    assert f"{TOPIC}[1] of the group {GROUP} is applied only up to" in str(pruner.describe()["held_back"])
    unread = arrived(command, sent=1000, seconds_ago=950, command_id="1")
    new = arrived(making.register_user(), sent=960, seconds_ago=940)
    assert await bench.apply(unread, new, partition=1) == Counter(
        {"duplicate": 1, "applied": 1, "event": 1, "outcome": 2}
    )

    await catch_up(bench, 1)
    assert await pruner.prune_once() == 3
    lenient = Bench(bench.database)  # allows seven days
    repeat = arrived(command, sent=1000, seconds_ago=1, command_id="1")
    assert await lenient.apply(repeat, partition=2) == Counter({"dead letter: too-old": 1})
    assert await bench.rows("SELECT count(*) FROM users") == [(3,)]


async def test_rows_are_deleted_in_steps_oldest_first_each_in_its_transaction(bench):
    await bench.apply(*sent_long_ago(25))
    await catch_up(bench, 0)
    pruner = Pruner(database=bench.database, rule=RULE, max_rows=10, pause_seconds=0.001)

    with StatementCounter(bench.database) as counter:
        assert await pruner.prune_once() == 25

    assert len([each for each in counter.statements if "DELETE FROM inbox" in each]) == 3
    assert len([each for each in counter.statements if "pg_try_advisory_xact_lock" in each]) == 3
    assert await remembered(bench) == []
    assert await pruner.prune_once() == 0


async def test_floor_rises_with_the_rows_and_never_falls(bench):
    await bench.apply(*sent_long_ago(3))
    await catch_up(bench, 0)
    await Pruner(database=bench.database, rule=RULE).prune_once()
    [(floor,)] = await bench.rows("SELECT pruned_before FROM inbox_floor")
    assert floor == NOW - timedelta(seconds=LIMIT + SKEW)

    longer = Rule(age_limit_seconds=LIMIT, skew_seconds=SKEW, keep_seconds=10_000)
    await Pruner(database=bench.database, rule=longer).prune_once()

    assert await bench.rows("SELECT pruned_before FROM inbox_floor") == [(floor,)]


async def test_stopped_pruner_ends_after_its_step(bench):
    await bench.apply(*sent_long_ago(25))
    await catch_up(bench, 0)
    pruner = Pruner(database=bench.database, rule=RULE, max_rows=10, pause_seconds=60)
    pruner.stop()
    pruner.stop()

    assert await pruner.prune_once() == 10
    await pruner.run()
    assert len(await remembered(bench)) == 15


async def test_commands_of_open_dead_letters_stay_until_these_are_done(bench):
    unfit, conflicting, parked, plain = sent_long_ago(4)
    unfit.value = b"{}"
    other = arrived(making.register_user(), sent=999, seconds_ago=999, command_id="1")
    await bench.apply(unfit, conflicting, parked, plain, other)
    async with bench.database.transaction() as session:
        await session.execute(text("UPDATE inbox SET outcome = 'parked', outcome_final = false WHERE command_id = '2'"))
    await catch_up(bench, 0)
    pruner = Pruner(database=bench.database, rule=RULE)

    assert await pruner.prune_once() == 1
    assert await remembered(bench) == ["0", "1", "2"]

    async with bench.database.transaction() as session:
        await session.execute(text("UPDATE dead_letters SET state = 'discarded'"))
        await session.execute(text("UPDATE inbox SET outcome_final = true WHERE command_id = '0'"))
    assert await pruner.prune_once() == 2
    assert await remembered(bench) == ["2"]


async def test_rows_are_kept_for_their_time_however_late_they_were_decided(bench):
    await bench.apply(*sent_long_ago(3))
    await catch_up(bench, 0)
    rule = Rule(age_limit_seconds=LIMIT, skew_seconds=SKEW, keep_seconds=500)

    assert await Pruner(database=bench.database, rule=rule).prune_once() == 0

    async with bench.database.transaction() as session:
        await session.execute(text("UPDATE inbox SET recorded_at = recorded_at - interval '600 s'"))
    assert await Pruner(database=bench.database, rule=rule).prune_once() == 3


async def test_other_groups_share_the_inbox_and_hold_it_back(bench):
    await bench.apply(*sent_long_ago(3))
    await catch_up(bench, 0)
    async with bench.database.transaction() as session:
        await checkpoints.create(session, "others", {Partition(TOPIC, 5): 0})
    pruner = Pruner(database=bench.database, rule=RULE)

    assert await pruner.prune_once() == 0
    assert pruner.describe() == {
        "floor": None,
        "held_back": f"{TOPIC}[5] of the group others has not been read yet",
        "pruned": 0,
    }


async def test_nothing_is_forgotten_by_producers_clocks_nor_before_anything_was_read(bench):
    now = datetime.now(UTC)
    slowest = checkpoints.Slowest(GROUP, Partition(TOPIC, 0), now)

    assert Rule(trusts_time=False).find_floor(slowest, now) == (None, PRODUCERS_TIME)
    assert RULE.find_floor(None, now) == (None, NO_CHECKPOINT)
    assert Rule().find_floor(slowest, now) == (now - timedelta(days=30), None)


async def test_second_pruner_leaves_it_to_the_first(bench):
    await bench.apply(*sent_long_ago(3))
    await catch_up(bench, 0)
    async with bench.database.transaction() as session:
        await session.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
        assert await Pruner(database=bench.database, rule=RULE).prune_once() == 0
    assert len(await remembered(bench)) == 3


async def test_drained_partition_is_noted_unless_it_moved_on_or_has_a_batch_under_way(bench):
    for number in range(3):
        await bench.apply(*sent_long_ago(1), partition=number)
    seen = round(ago(50).timestamp() * 1000)
    drained = {Partition(TOPIC, number): Drained(1 if number else 0, seen) for number in range(3)}
    caught_up = CaughtUp(database=bench.database, group=GROUP, drained=lambda: drained, answer_seconds=30)

    async with bench.database.transaction() as session:
        await checkpoints.lock_and_compare(session, GROUP, {Partition(TOPIC, 1): 1})
        assert await caught_up.note_once() == 1
    assert await caught_up.note_once() == 0, "nothing is news"

    noted = await bench.rows("SELECT partition, caught_up_at FROM checkpoints ORDER BY partition")
    assert noted == [(0, None), (1, None), (2, ago(80))]


async def test_rights_that_the_operators_page_grants_are_enough(bench, database_url):
    role = f"consumer_{uuid4().hex}"
    [grants] = re.findall(r"```sql\n(GRANT .*?)```", OPERATIONS.read_text(), re.S)
    async with bench.database.transaction() as session:
        await session.execute(text(f"CREATE ROLE {role} LOGIN PASSWORD 'hush'"))
        for statement in filter(str.strip, grants.replace("squad_consumer", role).split(";")):
            await session.execute(text(statement))
    limited = Database(url=make_url(database_url).set(username=role, password="hush"))

    ours = Bench(limited, age_limit_seconds=LIMIT, skew_seconds=SKEW)
    await ours.apply(*sent_long_ago(3))
    await catch_up(ours, 0)
    assert await Pruner(database=limited, rule=RULE).prune_once() == 3

    await limited.close()
    async with bench.database.transaction() as session:
        await session.execute(text(f"DROP OWNED BY {role}"))
        await session.execute(text(f"DROP ROLE {role}"))


async def test_pruning_goes_on_while_the_database_is_away(monkeypatch):
    noted = Noted("pruning postponed")
    monkeypatch.setattr(logging.getLogger("squad.pruning"), "handlers", [noted])
    pruner = Pruner(database=Database(url="postgresql+asyncpg://nobody@127.0.0.1:1/nothing"), rule=RULE)

    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        running = group.create_task(pruner.run())
        await noted.event.wait()
        assert not running.done()
        pruner.stop()


async def test_status_shows_the_floor_and_what_holds_it_back(bench, settings):
    await bench.apply(*sent_long_ago(3))
    await Pruner(database=bench.database, rule=RULE).prune_once()
    # By the broker's time, also where the tests' own broker is a mock that stamps nothing.
    limits = {"command_age_limit_seconds": LIMIT, "command_skew_seconds": SKEW}
    ours = settings.model_copy(update={**limits, "accept_producer_time": False})

    status = await upkeep.inbox_status(ours)

    assert status["floor"] == ago(1000 - 2 + LIMIT + SKEW)
    assert status["held_back_by"] is None, "the rows are kept for their 30 days"
    assert (status["oldest"], status["rows_below_floor"]) == (ago(1000), 0)
    with running(settings, "inbox", "status", "--json") as process:
        code, printed = await asyncio.to_thread(process.finish)
    assert (code, set(json.loads(printed))) == (0, set(status))
