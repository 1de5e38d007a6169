"""The guide's reads of squads and of what is in them, on a real database."""

from uuid import UUID, uuid4

import pytest

from db.queries.pages import UnknownPlaceError
from db.queries.squads import (
    get_squad_with_members,
    get_squad_with_members_and_projects,
    get_squads_of_user,
    get_squads_with_members_and_projects,
)
from db.queries.statistics import open_task_counts, squad_member_counts
from db.queries.tasks import TaskFilter, get_tasks
from domain import commands
from domain.values import Priority, SquadStatus, TaskStatus
from tests import making
from tests.applying import Bench, StatementCounter
from tests.making import NOON, new_id, record


async def members_of(bench: Bench, squad_id: str) -> list[str]:
    return [
        row[0]
        for row in await bench.rows(
            "SELECT id::text FROM squad_members WHERE squad_id = :squad ORDER BY created_at, id", squad=UUID(squad_id)
        )
    ]


async def applied(bench: Bench, *given) -> None:
    counted = await bench.apply(*(record(command) for command in given))
    assert counted["applied"] == len(given), counted


@pytest.fixture
async def house(database):
    """Ada owns two squads: one of three seats, Eve on one of them, with a project; and an empty one."""
    bench, ada, eve, squad_id, empty_id = Bench(database), new_id(), new_id(), new_id(), new_id()
    await applied(bench, making.register_user(ada), making.register_user(eve))
    await applied(bench, making.create_squad(ada, squad_id, roles=("a", "b", "c")))
    await applied(bench, making.create_squad(ada, empty_id, roles=()))
    members = await members_of(bench, squad_id)
    await applied(bench, commands.SeatUser(squad_id=squad_id, member_id=members[0], user_id=eve))
    return bench, ada, eve, squad_id, empty_id, members


async def test_squad_with_members_takes_two_statements_however_many(database, async_db):
    bench, user_id, squad_id = Bench(database), new_id(), new_id()
    roles = tuple(f"role-{number}" for number in range(50))
    await applied(bench, making.register_user(user_id), making.create_squad(user_id, squad_id, roles=roles))

    with StatementCounter(database) as counter:
        squad = await get_squad_with_members(async_db, UUID(squad_id))
        assert squad is not None
        assert len(squad.members) == 50

    assert len(counter.statements) == 2
    assert await get_squad_with_members(async_db, UUID(new_id())) is None


async def test_members_who_were_removed_are_in_no_read(house, async_db):
    bench, _, eve, squad_id, empty_id, members = house
    assert [squad.id for squad in await get_squads_of_user(async_db, UUID(eve))] == [UUID(squad_id)]
    await applied(bench, commands.RemoveMember(squad_id=squad_id, member_id=members[0]))

    squad = await get_squad_with_members(async_db, UUID(squad_id))
    assert squad is not None
    assert [str(member.id) for member in squad.members] == members[1:]
    counts = {str(each.id): each.count for each in (await squad_member_counts(async_db)).items}
    assert counts == {squad_id: 2, empty_id: 0}
    assert [str(each.id) for each in await open_task_counts(async_db, UUID(squad_id))] == members[1:]
    assert await get_squads_of_user(async_db, UUID(eve)) == []


async def test_squads_with_members_and_projects_take_three_statements_however_many(house, database, async_db):
    bench, ada, _, squad_id, empty_id, _ = house
    more = [new_id() for _ in range(3)]
    await applied(bench, *(making.create_squad(ada, each) for each in more))
    await applied(bench, *(making.create_project(squad_id) for _ in range(4)))

    with StatementCounter(database) as counter:
        first = await get_squads_with_members_and_projects(async_db, per_page=3)
        found = {str(squad.id): (len(squad.members), len(squad.projects)) for squad in first.items}
    assert len(counter.statements) == 3
    assert first.next is not None

    second = await get_squads_with_members_and_projects(async_db, first.next, 3)
    assert second.next is None
    found |= {str(squad.id): (len(squad.members), len(squad.projects)) for squad in second.items}
    assert found == {squad_id: (3, 4), empty_id: (0, 0)} | dict.fromkeys(more, (1, 0))
    alone = await get_squad_with_members_and_projects(async_db, UUID(squad_id))
    assert alone is not None
    assert (len(alone.members), len(alone.projects)) == (3, 4)


async def test_squads_of_a_user_are_those_owned_those_seated_in_or_both_each_once(house, async_db):
    bench, ada, eve, squad_id, empty_id, members = house
    await applied(bench, commands.SeatUser(squad_id=squad_id, member_id=members[1], user_id=ada))
    await applied(bench, commands.DisbandSquad(squad_id=empty_id))

    async def found(user_id: str, *belonging, **more) -> set[str]:
        squads = await get_squads_of_user(async_db, UUID(user_id), *belonging, **more)
        assert len(squads) == len({squad.id for squad in squads})
        return {str(squad.id) for squad in squads}

    assert await found(ada, "owner") == {squad_id, empty_id}
    assert await found(ada, "seated") == {squad_id}
    assert await found(ada) == {squad_id, empty_id}
    assert await found(ada, status=SquadStatus.ACTIVE) == {squad_id}
    assert await found(eve, "owner") == set()
    assert await found(eve) == {squad_id}


@pytest.fixture
async def work(house):
    """Two projects with tasks that stand everywhere; one is another squad's."""
    bench, ada, _, squad_id, _, members = house
    other_squad, project, second, others = new_id(), new_id(), new_id(), new_id()
    await applied(bench, making.create_squad(ada, other_squad))
    await applied(bench, making.create_project(squad_id, project), making.create_project(squad_id, second))
    await applied(bench, making.create_project(other_squad, others))
    tasks = {}
    for name, squad, of, priority in (
        ("done", squad_id, project, Priority.HIGH),
        ("begun", squad_id, project, Priority.NORMAL),
        ("waiting", squad_id, project, Priority.HIGH),
        ("second", squad_id, second, Priority.HIGH),
        ("other", other_squad, others, Priority.HIGH),
        ("calm", other_squad, others, Priority.LOW),
    ):
        tasks[name] = new_id()
        command = commands.CreateTask(squad_id=squad, project_id=of, task_id=tasks[name], title=name, priority=priority)
        at = round(NOON.timestamp() * 1000) + len(tasks) * 1000
        assert (await bench.apply(record(command, timestamp=at)))["applied"] == 1
    await applied(
        bench,
        making.complete_task(squad_id, tasks["done"]),
        commands.StartTask(squad_id=squad_id, task_id=tasks["begun"]),
        commands.AssignTask(squad_id=squad_id, task_id=tasks["begun"], member_id=members[1]),
        commands.AssignTask(squad_id=squad_id, task_id=tasks["second"], member_id=members[1]),
    )
    return UUID(squad_id), UUID(project), UUID(members[1]), tasks


async def test_tasks_are_found_by_each_of_what_may_be_said_and_come_newest_first(work, async_db):
    squad_id, project_id, member_id, tasks = work

    async def found(**where) -> list[str]:
        return [task.title for task in (await get_tasks(async_db, TaskFilter(**where))).items]

    pending, high = TaskStatus.PENDING, Priority.HIGH
    assert await found(status=pending, priority=high) == ["other", "second", "waiting"]
    assert await found(status=pending, priority=Priority.LOW) == ["calm"]
    assert await found(project_id=project_id) == ["waiting", "begun", "done"]
    assert await found(project_id=project_id, status=pending) == ["waiting"]
    assert await found(project_id=project_id, priority=high) == ["waiting", "done"]
    assert await found(squad_id=squad_id) == ["second", "waiting", "begun", "done"]
    assert await found(squad_id=squad_id, status=pending, priority=high) == ["second", "waiting"]
    assert await found(assignee_id=member_id) == ["second", "begun"]
    assert await found(assignee_id=member_id, project_id=project_id) == ["begun"]
    assert await found(assignee_id=member_id, status=TaskStatus.COMPLETED) == []
    assert await found(squad_id=uuid4(), project_id=project_id) == []

    first = await get_tasks(async_db, TaskFilter(squad_id=squad_id), per_page=3)
    assert first.next == UUID(tasks["begun"])
    last = await get_tasks(async_db, TaskFilter(squad_id=squad_id), first.next, 3)
    assert ([task.title for task in last.items], last.next) == (["done"], None)
    across = await get_tasks(async_db, TaskFilter(status=pending, priority=high), UUID(tasks["other"]))
    assert [task.title for task in across.items] == ["second", "waiting"]
    with pytest.raises(UnknownPlaceError):
        await get_tasks(async_db, TaskFilter(squad_id=squad_id), uuid4())


async def test_open_tasks_are_counted_for_every_member(work, async_db):
    squad_id, _, member_id, _ = work

    counted = await open_task_counts(async_db, squad_id)

    assert sorted((each.count, each.id == member_id) for each in counted) == [(0, False), (0, False), (2, True)]


@pytest.mark.parametrize("where", [{}, {"status": TaskStatus.PENDING}, {"priority": Priority.HIGH}])
def test_tasks_of_all_projects_are_refused_but_for_those_that_wait(where):
    with pytest.raises(ValueError, match="name a project, a squad or an assignee"):
        TaskFilter(**where)
    with pytest.raises(ValueError, match="name a project"):
        TaskFilter(status=TaskStatus.COMPLETED, priority=Priority.HIGH)
