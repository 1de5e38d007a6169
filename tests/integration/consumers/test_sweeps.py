"""Commands that change rows nobody loaded end a segment of their batch; batching still makes no difference."""

import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

import pytest
from sqlalchemy import text

from db.sweep import STATEMENTS
from domain.commands import ArchiveProject, AssignTask, Command, DisbandSquad, RemoveMember, ReopenProject
from domain.sweeps import MAX_IDS
from messages.ids import CommandIds
from tests import making
from tests.applying import Bench, StatementCounter
from tests.making import NOON, new_id, record

OWNER = "cfcd2084-95d5-65ef-66e7-dff9f98764da"
"""The first of md5's digests of digits, as an id."""

SWEEP_STATEMENTS = 6
"""What one sweep may add to a batch: inserts and updates of squads and tasks so far, the sweep, its tasks again; and an
insert of projects."""


Asking = Callable[[Any], Command]
"""Makes a command about a task: its squad, its project, its own id, and a member of the squad."""

SWEEPS: tuple[Asking, ...] = (
    lambda task: making.complete_project_tasks(task[0], task[1]),
    lambda task: ArchiveProject(squad_id=task[0], project_id=task[1]),
    lambda task: ArchiveProject(squad_id=task[0], project_id=task[1], cancel_open_tasks=True),
    lambda task: RemoveMember(squad_id=task[0], member_id=task[3]),
    lambda task: DisbandSquad(squad_id=task[0]),
    lambda task: DisbandSquad(squad_id=task[0], cancel_open_tasks=True),
)


def commands_around_sweeps(
    chance: random.Random, *, number: int, sweeps: int, kinds_of_sweeps: Sequence[Asking] = SWEEPS[:1]
):
    """Give commands on few tasks of few projects in any order, sweeps among them; many are refused, which is an answer.

    Returns:
        What they need, to be applied before; and the commands.
    """
    user = new_id()
    squads = [new_id() for _ in range(3)]
    members = {
        squad: [ids_of(1 + place).new("member", seat) for seat in range(2)] for place, squad in enumerate(squads)
    }
    projects = [(squad, new_id()) for squad in squads for _ in range(2)]
    tasks = [(*chance.choice(projects), new_id()) for _ in range(max(10, number // 4))]
    given = [making.register_user(user), *(making.create_squad(user, squad, roles=("a", "b")) for squad in squads)]
    given += [making.create_project(squad, project) for squad, project in projects]
    kinds: tuple[Asking, ...] = (
        lambda task: making.create_task(*task[:3]),
        lambda task: making.complete_task(task[0], task[2]),
        lambda task: making.transfer(task[0], user),
        lambda task: AssignTask(squad_id=task[0], task_id=task[2], member_id=chance.choice([task[3], None])),
        lambda task: ReopenProject(squad_id=task[0], project_id=task[1]),
    )

    def some_task() -> tuple[str, ...]:
        task = chance.choice(tasks)
        return *task, chance.choice(members[task[0]])

    asked = [chance.choices(kinds, (5, 4, 1, 3, 1))[0](some_task()) for _ in range(number - sweeps)]
    asked += [chance.choice(kinds_of_sweeps)(some_task()) for _ in range(sweeps)]
    chance.shuffle(asked)
    return given, asked


def ids_of(number: int) -> CommandIds:
    """Give the ids that follow from the command of this number, as `apply_both_ways` sends it."""
    return CommandIds(making.SOURCE, str(number))


async def apply_both_ways(bench: Bench, given, asked):
    """Give what is there after the commands were applied one by one, and after they were one batch."""
    records = [record(command, command_id=str(number)) for number, command in enumerate([*given, *asked])]
    first = records[: len(given)]
    await bench.apply(*first)
    for each in records[len(given) :]:
        await bench.apply(each)
    one_by_one = await bench.snapshot()
    await bench.forget()
    await bench.apply(*first)
    await bench.apply(*records[len(given) :])
    return one_by_one, await bench.snapshot()


async def test_ten_sweeps_in_a_batch_of_500_do_what_they_do_one_by_one(bench):
    given, asked = commands_around_sweeps(random.Random(1), number=500, sweeps=10)

    one_by_one, at_once = await apply_both_ways(bench, given, asked)

    assert at_once == one_by_one
    kinds = Counter(each["type"] for each in await bench.outbox())
    assert kinds["squad.project-tasks-completed.v1"] >= 5
    assert kinds["squad.task-completed.v1"] >= 20


@pytest.mark.parametrize("seed", range(8))
async def test_sweeps_among_commands_on_the_same_tasks_come_out_the_same_in_any_order(bench, seed):
    given, asked = commands_around_sweeps(random.Random(100 + seed), number=40, sweeps=6, kinds_of_sweeps=SWEEPS)

    one_by_one, at_once = await apply_both_ways(bench, given, asked)

    assert at_once == one_by_one


async def test_sweeps_of_tasks_that_the_batch_did_not_touch_cost_a_statement_each(bench):
    user, squad, (project, other) = new_id(), new_id(), [new_id() for _ in range(2)]
    await bench.apply(record(making.register_user(user)), record(making.create_squad(user, squad)))
    await bench.apply(*(record(making.create_project(squad, each)) for each in (project, other)))

    async def cost(sweeps: int) -> int:
        asked: list[Command] = [making.create_task(squad, project) for _ in range(50)]
        for place in range(sweeps):
            asked.insert(place * 7, making.complete_project_tasks(squad, other))
        with StatementCounter(bench.database) as counter:
            await bench.apply(*map(record, asked))
        return len(counter.statements)

    assert await cost(6) == await cost(0) + 6


async def test_a_sweep_sees_what_the_batch_decided_before_it_and_is_seen_by_what_comes_after(bench):
    user, squad, project, task = (new_id() for _ in range(4))

    counts = await bench.apply(
        record(making.register_user(user)),
        record(making.create_squad(user, squad)),
        record(making.create_project(squad, project)),
        record(making.create_task(squad, project, task)),
        record(making.complete_project_tasks(squad, project)),
        record(making.complete_task(squad, task)),
        record(making.create_task(squad, project, later := new_id())),
    )

    assert counts["applied"] == 6
    assert counts["rejected: cannot-complete-completed-task"] == 1
    assert sorted(await bench.rows("SELECT id::text, status, completed_at FROM tasks")) == sorted(
        [(task, "completed", NOON), (later, "pending", None)]
    )
    [event] = [each for each in await bench.outbox() if each["type"] == "squad.project-tasks-completed.v1"]
    assert event["data"] | {"completed_at": None} == {
        "squad_id": squad,
        "project_id": project,
        "count": 1,
        "completed_at": None,
        "task_ids": [task],
    }
    assert event["sequence"] == 4


async def test_a_task_that_a_member_just_lost_is_not_taken_from_whom_it_was_given_to(bench):
    user, squad, project, task = (new_id() for _ in range(4))
    one, other = (ids_of(1).new("member", seat) for seat in range(2))
    made: list[Command] = [making.register_user(user), making.create_squad(user, squad, roles=("a", "b"))]
    made += [making.create_project(squad, project), making.create_task(squad, project, task)]
    made.append(AssignTask(squad_id=squad, task_id=task, member_id=one))
    await bench.apply(*(record(each, command_id=str(number)) for number, each in enumerate(made)))

    await bench.apply(
        record(AssignTask(squad_id=squad, task_id=task, member_id=other)),
        record(RemoveMember(squad_id=squad, member_id=one)),
    )

    assert (await bench.outbox())[-1]["data"]["unassigned_count"] == 0
    assert await bench.rows("SELECT assignee_id::text FROM tasks") == [(other,)]


async def test_nothing_to_complete_is_applied_without_an_event(bench):
    user, squad, project = (new_id() for _ in range(3))
    await bench.apply(record(making.register_user(user)), record(making.create_squad(user, squad)))
    await bench.apply(record(making.create_project(squad, project)))

    counts = await bench.apply(record(making.complete_project_tasks(squad, project)))

    assert counts == Counter({"applied": 1, "outcome": 1})
    assert (await bench.outcomes())[-1]["version"] == 2
    assert await bench.rows("SELECT version FROM squads") == [(2,)]


async def test_a_repeated_sweep_is_a_duplicate_and_changes_nothing_again(bench):
    user, squad, project = (new_id() for _ in range(3))
    sweep = record(making.complete_project_tasks(squad, project), command_id="sweep")
    await bench.apply(record(making.register_user(user)), record(making.create_squad(user, squad)))
    await bench.apply(record(making.create_project(squad, project)), sweep)
    await bench.apply(record(making.create_task(squad, project)))

    counts = await bench.apply(record(making.complete_project_tasks(squad, project), command_id="sweep"))

    assert counts == Counter({"duplicate": 1, "outcome": 1})
    assert await bench.rows("SELECT status FROM tasks") == [("pending",)]


async def add_open_tasks(bench: Bench, squad: str, project: str, count: int) -> None:
    """Put open tasks into a project, without commands."""
    async with bench.database.transaction() as session:
        await session.execute(
            text(
                "INSERT INTO tasks (id, squad_id, project_id, title, status, priority, created_at)"
                " SELECT gen_random_uuid(), CAST(:squad AS uuid), CAST(:project AS uuid), 'T',"
                " CASE n % 2 WHEN 0 THEN 'pending' ELSE 'in_progress' END, 'normal', now()"
                " FROM generate_series(1, CAST(:count AS integer)) n"
            ),
            {"squad": squad, "project": project, "count": count},
        )


async def test_more_tasks_than_an_event_may_name_are_counted(bench):
    user, squad, project = (new_id() for _ in range(3))
    await bench.apply(record(making.register_user(user)), record(making.create_squad(user, squad)))
    await bench.apply(record(making.create_project(squad, project)))
    await add_open_tasks(bench, squad, project, MAX_IDS + 1)

    await bench.apply(record(making.complete_project_tasks(squad, project)))

    event = (await bench.outbox())[-1]["data"]
    assert event["count"] == MAX_IDS + 1
    assert "task_ids" not in event
    assert await bench.rows("SELECT DISTINCT status FROM tasks") == [("completed",)]


async def test_a_sweep_of_too_many_to_name_takes_nothing_back_that_the_batch_decided_of_others(bench):
    user, squad, project, elsewhere, task, swept = (new_id() for _ in range(6))
    await bench.apply(record(making.register_user(user)), record(making.create_squad(user, squad)))
    await bench.apply(record(making.create_project(squad, project)), record(making.create_project(squad, elsewhere)))
    await bench.apply(
        record(making.create_task(squad, elsewhere, task)), record(making.create_task(squad, project, swept))
    )
    await add_open_tasks(bench, squad, project, MAX_IDS)

    counts = await bench.apply(
        record(making.complete_task(squad, task)),
        record(making.complete_project_tasks(squad, project)),
        record(making.complete_task(squad, swept)),
        record(making.complete_task(squad, task)),
    )

    assert (counts["applied"], counts["rejected: cannot-complete-completed-task"]) == (2, 2)
    assert await bench.rows("SELECT DISTINCT status FROM tasks") == [("completed",)]


async def test_each_sweep_costs_a_fixed_number_of_statements(bench):
    user, squad, project = (new_id() for _ in range(3))
    await bench.apply(record(making.register_user(user)), record(making.create_squad(user, squad)))
    await bench.apply(record(making.create_project(squad, project)))

    async def cost(sweeps: int) -> int:
        asked: list[Command] = [making.create_task(squad, project) for _ in range(50)]
        for place in range(sweeps):
            asked.insert(place * 7, making.complete_project_tasks(squad, project))
        with StatementCounter(bench.database) as counter:
            await bench.apply(*map(record, asked))
        return len(counter.statements)

    without = await cost(0)
    assert await cost(1) <= without + SWEEP_STATEMENTS
    assert await cost(6) <= without + 6 * SWEEP_STATEMENTS


async def test_every_sweep_finds_its_tasks_by_an_index_that_knows_which_are_open(bench):
    async with bench.database.transaction() as session:
        await session.execute(text("SET LOCAL session_replication_role = replica"))
        # Of 10,000 tasks of a squad, of a project and of a member, one in a hundred is open.
        await session.execute(
            text(
                "INSERT INTO tasks (id, squad_id, project_id, assignee_id, title, status, priority, created_at)"
                " SELECT gen_random_uuid(), owner, owner, owner, 'T',"
                " CASE n % 100 WHEN 0 THEN 'pending' ELSE 'completed' END, 'normal', now()"
                " FROM generate_series(0, 49999) n, LATERAL (SELECT md5((n / 10000)::text)::uuid AS owner) o"
            )
        )
        await session.execute(text("ANALYZE tasks"))
        for sweep, statement in STATEMENTS.items():
            of = {field.name: OWNER for field in fields(sweep) if field.name != "completed_at"}
            times = {"completed_at": NOON} if "completed_at" in statement.text else {}
            explained = await session.execute(text(f"EXPLAIN {statement.text}"), of | times)
            plan = "\n".join(row[0] for row in explained)
            [column] = [{"member_id": "assignee_id"}.get(name, name) for name in of]
            assert "Seq Scan" not in plan, plan
            assert re.search(rf"Index Cond: .*{column} = .*status = ", plan), plan
