"""Commands on feedback and usage, through the processor: what is stored and told."""

import asyncio
import random
from collections.abc import Callable
from datetime import date

import pytest

from domain import commands
from tests import making
from tests.applying import Bench, StatementCounter
from tests.making import NOON, new_id, record


def use(squad_id: str, amount: int = 1, metric: str = "api-calls", month: str = "2026-05") -> commands.RecordUsage:
    return commands.RecordUsage(squad_id=squad_id, metric=metric, month=month, amount=amount)


def limit(squad_id: str, most: int | None, metric: str = "api-calls") -> commands.SetUsageLimit:
    return commands.SetUsageLimit(squad_id=squad_id, metric=metric, month="2026-05", limit=most)


@pytest.fixture
async def squad(bench) -> str:
    """The id of a squad."""
    await bench.apply(
        record(making.register_user(user_id := new_id())), record(making.create_squad(user_id, squad_id := new_id()))
    )
    return squad_id


async def test_feedback_is_stored_withdrawn_and_told_without_its_comment(bench, squad):
    user, project, task, one, two = (new_id() for _ in range(5))
    await bench.apply(
        record(making.register_user(user)),
        record(making.create_project(squad, project)),
        record(making.create_task(squad, project, task)),
        record(
            commands.SubmitFeedback(
                squad_id=squad, feedback_id=one, rating=5, comment="Splendid", task_id=task, user_id=user
            )
        ),
        record(commands.SubmitFeedback(squad_id=squad, feedback_id=two, rating=1)),
    )
    await bench.apply(record(commands.WithdrawFeedback(squad_id=squad, feedback_id=two)))

    found = "SELECT id::text, task_id::text, user_id::text, rating, comment, created_at, withdrawn_at FROM feedback"
    assert await bench.rows(f"{found} ORDER BY rating DESC") == [
        (one, task, user, 5, "Splendid", NOON, None),
        (two, None, None, 1, None, NOON, NOON),
    ]
    assert not [each for each in await bench.outbox() if b"Splendid" in each["body"]]
    told_by_events, stored = await bench.retold()
    assert told_by_events == stored


async def test_usage_is_stored_by_metric_and_month_and_a_crossing_is_told_once(bench, squad):
    await bench.apply(record(use(squad, 3)), record(limit(squad, 4)), record(use(squad, 7, month="2026-06")))
    await bench.apply(record(use(squad)), record(use(squad)), record(use(squad)), record(use(squad, metric="tokens")))

    found = await bench.rows("SELECT metric, period, value, limit_value FROM usage_metrics ORDER BY metric, period")
    assert found == [
        ("api-calls", date(2026, 5, 1), 6, 4),
        ("api-calls", date(2026, 6, 1), 7, None),
        ("tokens", date(2026, 5, 1), 1, None),
    ]
    crossed = [each for each in await bench.outbox() if each["type"] == "squad.usage-limit-crossed.v1"]
    assert [(each["data"]["limit"], each["data"]["value"]) for each in crossed] == [(4, 5)]
    assert await bench.rows("SELECT version FROM squads") == [(1 + 7 + 1,)]
    told_by_events, stored = await bench.retold()
    assert told_by_events == stored


async def test_no_usage_is_lost_between_rival_consumers(database, bench, squad):
    """Four consumers add to the same row, which is not there yet."""
    rivals = [Bench(database) for _ in range(4)]

    async def add(number: int) -> None:
        for _ in range(5):
            await rivals[number].apply(*(record(use(squad)) for _ in range(5)), partition=1 + number)

    await asyncio.gather(*(add(number) for number in range(4)))

    assert await bench.rows("SELECT value FROM usage_metrics") == [(100,)]


async def test_feedback_and_usage_come_out_the_same_in_any_batching(bench):
    chance, user = random.Random(1), new_id()
    squads, feedback = [new_id() for _ in range(2)], [new_id() for _ in range(6)]
    kinds: tuple[Callable[[str, str], commands.Command], ...] = (
        lambda squad, one: commands.SubmitFeedback(squad_id=squad, feedback_id=one, rating=3),
        lambda squad, one: commands.WithdrawFeedback(squad_id=squad, feedback_id=one),
        lambda squad, _: use(squad, chance.randrange(1, 9), chance.choice(("api-calls", "tokens"))),
        lambda squad, _: limit(squad, chance.choice((None, 5, 20, 40)), chance.choice(("api-calls", "tokens"))),
    )
    asked: list[commands.Command] = [making.register_user(user)]
    asked += [making.create_squad(user, squad) for squad in squads]
    asked += [chance.choice(kinds)(chance.choice(squads), chance.choice(feedback)) for _ in range(90)]
    records = [record(command, command_id=str(number)) for number, command in enumerate(asked)]

    one_by_one, in_batches = await bench.both_ways(records, size=20)

    assert in_batches == one_by_one
    told_by_events, stored = await bench.retold()
    assert told_by_events == stored
    assert {each["type"] for each in await bench.outbox()} >= {
        "squad.usage-limit-crossed.v1",
        "squad.feedback-withdrawn.v1",
    }


async def test_a_batch_of_them_costs_a_fixed_number_of_statements(bench, squad):
    async def cost(number: int) -> int:
        asked: list[commands.Command] = [use(squad, metric=f"m{place % 7}") for place in range(number)]
        asked += [
            commands.SubmitFeedback(squad_id=squad, feedback_id=new_id(), rating=1 + place % 5)
            for place in range(number)
        ]
        with StatementCounter(bench.database) as counter:
            await bench.apply(*map(record, asked))
        return len(counter.statements)

    await cost(7)
    assert await cost(100) == await cost(7)
