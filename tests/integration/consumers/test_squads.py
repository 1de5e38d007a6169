"""Commands on squads, their members, projects and tasks, through the processor: what is stored, told and answered."""

import asyncio
import random
from collections import Counter
from typing import Any

import pytest

from domain import commands
from domain.commands import Command
from domain.values import Priority
from messages.registry import COMMAND_TYPES
from tests import making
from tests.applying import Bench, StatementCounter
from tests.few_things import FewThings, seats
from tests.making import NOON, new_id, record


async def test_every_command_is_stored_and_told(bench):
    user, other, squad, project, archived = (new_id() for _ in range(5))
    one, two, three, four = (new_id() for _ in range(4))
    [first] = seats("squad", 1)
    second, third = seats("members", 2)
    of_squad, of_project = {"squad_id": squad}, {"squad_id": squad, "project_id": project}
    new_tasks = tuple(commands.NewTask(task_id=each, title="Many") for each in (two, three, four))
    asked: list[tuple[Command, str | None]] = [
        (making.register_user(user), None),
        (making.register_user(other), None),
        (making.create_squad(user, squad), "squad"),
        (commands.RenameSquad(**of_squad, name="Blue"), None),
        (commands.DescribeSquad(**of_squad, description="So"), None),
        (commands.TransferSquadOwnership(**of_squad, new_owner_id=other), None),
        (commands.AddSquadMembers(**of_squad, roles=("tester", "writer")), "members"),
        (commands.ChangeMemberRole(**of_squad, member_id=second, role="lead"), None),
        (commands.SeatUser(**of_squad, member_id=first, user_id=user), None),
        (commands.SeatUser(**of_squad, member_id=second, user_id=user), None),
        (commands.UnseatUser(**of_squad, member_id=first), None),
        (making.create_project(squad, project), None),
        (commands.RenameProject(**of_project, name="Landing"), None),
        (making.create_task(squad, project, one), None),
        (commands.CreateTasks(**of_project, tasks=new_tasks), None),
        (commands.AssignTask(**of_squad, task_id=one, member_id=first), None),
        (commands.AssignTask(**of_squad, task_id=two, member_id=third), None),
        (commands.AssignTask(**of_squad, task_id=three, member_id=third), None),
        (commands.ChangeTaskPriority(**of_squad, task_id=one, priority=Priority.URGENT), None),
        (commands.StartTask(**of_squad, task_id=one), None),
        (commands.CompleteTask(**of_squad, task_id=two), None),
        (commands.RemoveMember(**of_squad, member_id=third), None),
        (commands.CancelTask(**of_squad, task_id=four), None),
        (commands.ReopenTask(**of_project, task_id=four), None),
        (commands.ArchiveProject(squad_id=squad, project_id=project), "refused"),
        (commands.CompleteProjectTasks(**of_project), None),
        (commands.ReopenTask(**of_project, task_id=four), None),
        (commands.ArchiveProject(**of_project, cancel_open_tasks=True), None),
        (making.create_project(squad, archived), None),
        (commands.ArchiveProject(squad_id=squad, project_id=archived), None),
        (commands.ReopenProject(squad_id=squad, project_id=archived), None),
        (making.create_task(squad, archived), None),
        (commands.DisbandSquad(**of_squad, cancel_open_tasks=True), None),
    ]

    records = [record(command, command_id=command_id or new_id()) for command, command_id in asked]
    one_by_one, at_once = await bench.both_ways(records, size=len(records))

    assert at_once == one_by_one
    assert {type(command) for command, _ in asked} == {
        form
        for form in COMMAND_TYPES
        if form.__module__.rpartition(".")[2] in {"squads", "members", "projects", "tasks"}
    } | {commands.RegisterUser}
    assert Counter(each["code"] for each in await bench.outcomes()) == {
        None: len(asked) - 1,
        "project-has-open-tasks": 1,
    }
    assert await bench.rows("SELECT user_id::text, name, description, status, version FROM squads") == [
        (other, "Blue", "So", "disbanded", len(asked) - 3)
    ]
    members = await bench.rows("SELECT id::text, role, user_id::text, removed_at FROM squad_members")
    assert sorted(members) == sorted(
        [(first, "developer", None, None), (second, "lead", user, None), (third, "writer", None, NOON)]
    )
    projects = await bench.rows("SELECT id::text, name, status FROM projects")
    assert sorted(projects) == sorted([(project, "Landing", "archived"), (archived, "Project", "active")])
    tasks = await bench.rows(
        "SELECT id::text, status, priority, assignee_id::text, completed_at FROM tasks WHERE project_id = :project",
        project=project,
    )
    assert sorted(tasks) == sorted(
        [
            (one, "completed", "urgent", first, NOON),
            (two, "completed", "normal", third, NOON),
            (three, "completed", "normal", None, NOON),
            (four, "cancelled", "normal", None, None),
        ]
    )
    told = {each["type"]: each["data"] for each in await bench.outbox()}
    removed, disbanded = told["squad.member-removed.v1"], told["squad.disbanded.v1"]
    assert (removed["unassigned_count"], removed["unassigned_task_ids"]) == (1, [three])
    assert disbanded["cancelled_count"] == len(disbanded["cancelled_task_ids"]) == 1
    told_by_events, stored = await bench.retold()
    assert told_by_events == stored


BROKEN: dict[str, str] = {
    "an archived project has open tasks": """
        SELECT t.id FROM tasks t JOIN projects p ON p.id = t.project_id
        WHERE p.status = 'archived' AND t.status IN ('pending', 'in_progress')
        """,
    "a removed member has open tasks": """
        SELECT t.id FROM tasks t JOIN squad_members m ON m.id = t.assignee_id
        WHERE m.removed_at IS NOT NULL AND t.status IN ('pending', 'in_progress')
        """,
    "a disbanded squad has open tasks": """
        SELECT t.id FROM tasks t JOIN squads s ON s.id = t.squad_id
        WHERE s.status = 'disbanded' AND t.status IN ('pending', 'in_progress')
        """,
    "a task has been completed at a time without being completed, or the other way": """
        SELECT id FROM tasks WHERE (status = 'completed') <> (completed_at IS NOT NULL)
        """,
}
"""What must never be, each with the query that finds it."""


async def assert_nothing_is_broken(bench: Bench) -> None:
    for what, query in BROKEN.items():
        assert await bench.rows(query) == [], what
    told_by_events, stored = await bench.retold()
    assert told_by_events == stored


@pytest.mark.parametrize(("seed", "size"), [(0, 7), (1, 7), (2, 500), (3, 500)])
async def test_any_commands_come_out_the_same_in_any_batching(bench, seed, size):
    things = FewThings(random.Random(seed))
    asked = [*things.given(), *((things.command(), str(number)) for number in range(60))]
    records = [record(command, command_id=command_id) for command, command_id in asked]

    one_by_one, in_batches = await bench.both_ways(records, size=size)

    assert in_batches == one_by_one
    await assert_nothing_is_broken(bench)
    assert len({each["type"] for each in await bench.outbox()}) >= 15


async def test_rival_consumers_with_sweeps_leave_nothing_broken(bench):
    """Three processors on the same three squads, each with any commands in batches: locks alone keep them apart."""
    things = FewThings(random.Random(5))
    await bench.apply(*(record(command, command_id=command_id) for command, command_id in things.given()))
    rivals = [Bench(bench.database) for _ in range(3)]

    async def work(number: int) -> int:
        applied = 0
        for _ in range(6):
            records = [record(things.command()) for _ in range(15)]
            applied += (await rivals[number].apply(*records, partition=1 + number))["applied"]
        return applied

    async with asyncio.TaskGroup() as group:
        working = [group.create_task(work(number)) for number in range(3)]

    assert sum(each.result() for each in working) >= 50
    await assert_nothing_is_broken(bench)
    versions = dict(await bench.rows("SELECT id::text, version FROM squads"))
    for squad, version in versions.items():
        told = [each["sequence"] for each in await bench.outbox() if each["key"] == squad]
        assert told == list(range(1, version + 1))


FIXED_STATEMENTS = 17
"""What a batch of them costs, however large: 1 checkpoint lock, 1 known ids, 5 loads (users, squads, members, projects,
tasks), 1 what is parked, 1 inbox, 2 inserts (members, tasks), 4 updates (squads, members, projects, tasks), 1 outbox,
1 checkpoint advance; BEGIN and COMMIT are the driver's."""


async def test_commands_cost_a_fixed_number_of_statements(bench):
    things = FewThings(random.Random(1))
    await bench.apply(*(record(command, command_id=command_id) for command, command_id in things.given()))
    await bench.apply(*(record(things.command(sweeps=False)) for _ in range(100)))
    records: list[Any] = [record(things.command(sweeps=False)) for _ in range(300)]

    with StatementCounter(bench.database) as counter:
        counts = await bench.apply(*records)

    assert counts["applied"] > 60
    assert len(counter.statements) <= FIXED_STATEMENTS, Counter(each.split()[0] for each in counter.statements)


async def test_a_thousand_tasks_are_made_by_one_command(bench):
    user, squad, project = (new_id() for _ in range(3))
    await bench.apply(record(making.register_user(user)), record(making.create_squad(user, squad)))
    await bench.apply(record(making.create_project(squad, project)))
    tasks = tuple(commands.NewTask(task_id=new_id(), title=f"T{number}") for number in range(1_000))
    create = commands.CreateTasks(squad_id=squad, project_id=project, tasks=tasks)

    with StatementCounter(bench.database) as counter:
        counts = await bench.apply(record(create, command_id="many"))

    assert counts == Counter({"applied": 1, "event": 2, "outcome": 1})
    assert len(counter.statements) <= FIXED_STATEMENTS
    assert await bench.rows("SELECT count(*) FROM tasks WHERE status = 'pending'") == [(1_000,)]
    assert await bench.rows("SELECT version FROM squads") == [(4,)]
    assert (await bench.apply(record(create, command_id="again")))["rejected: task-exists"] == 1
    told_by_events, stored = await bench.retold()
    assert told_by_events == stored
