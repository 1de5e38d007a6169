"""The domain's rules, without a database: commands in, events or a rejection out."""

import pytest

from domain import commands
from domain.events import (
    NewMember,
    ProjectTasksCompleted,
    SquadCreated,
    SquadOwnershipTransferred,
    TaskCompleted,
    TaskCreated,
    UserRegistered,
)
from domain.given import Given
from domain.reads import Reads
from domain.rejections import Code, Rejected
from domain.state import Project, State
from domain.sweeps import CompleteOpenTasks, Swept
from domain.tables import RULES, Rule, SweepRule
from domain.values import PlanTier, Priority, ProjectStatus, TaskStatus, email_key
from messages import ids
from tests import making
from tests.making import NOON, new_id


def decide(state: State, command: commands.Command):
    rule, given = RULES[type(command)], Given(NOON, ids.CommandIds("/tests", "1").new)
    assert isinstance(rule, Rule)
    return rule.decide(state, command, given)


def refused(state: State, command: commands.Command) -> Code:
    before = repr(state)
    with pytest.raises(Rejected) as rejection:
        decide(state, command)
    assert repr(state) == before, "a rejection must come before any change"
    return rejection.value.code


@pytest.fixture
def world() -> tuple[State, str, str]:
    """A state with one active user who owns one squad."""
    state, user_id, squad_id = State(), new_id(), new_id()
    decide(state, making.register_user(user_id))
    decide(state, making.create_squad(user_id, squad_id))
    return state, user_id, squad_id


def test_registered_user_starts_active_free_and_unverified():
    state, user_id = State(), new_id()

    events = decide(state, making.register_user(user_id, email="Ada@Example.org"))

    assert [*events] == [UserRegistered(user_id=user_id, plan_tier=PlanTier.FREE, registered_at=NOON)]
    user = state.users[user_id]
    assert (user.email, user.email_key) == ("Ada@Example.org", "ada@example.org")
    assert (user.is_active, user.email_verified, user.plan_tier) == (True, False, "free")


def test_email_is_taken_whatever_its_case_or_normal_form():
    state = State()
    decide(state, making.register_user(email="Z\u00fcrich@example.org"))

    assert refused(state, making.register_user(email="zU\u0308RICH@EXAMPLE.ORG")) is Code.EMAIL_TAKEN


def test_email_key_is_the_same_after_folding_twice():
    for text in ("\u00dc@x", "u\u0308@x", "\u1fb3@x", "\u0130@x", "\ufb01@x"):
        assert email_key(email_key(text)) == email_key(text)


def test_user_id_registers_once(world):
    state, user_id, _ = world

    assert refused(state, making.register_user(user_id)) is Code.USER_EXISTS


def test_squad_gets_a_member_for_each_role_with_derived_ids():
    state, user_id, squad_id = State(), new_id(), new_id()
    decide(state, making.register_user(user_id))

    [event] = decide(state, making.create_squad(user_id, squad_id, roles=("developer", "developer", "tester")))

    expected = [ids.CommandIds("/tests", "1").new("member", index) for index in range(3)]
    assert isinstance(event, SquadCreated)
    assert event.members == tuple(
        NewMember(member_id=each, role=role)
        for each, role in zip(expected, ("developer", "developer", "tester"), strict=True)
    )
    assert [*state.members] == expected


def test_squad_needs_an_owner_who_exists_and_is_active(world):
    state, user_id, squad_id = world

    assert refused(state, making.create_squad(new_id())) is Code.USER_NOT_FOUND
    assert refused(state, making.create_squad(user_id, squad_id)) is Code.SQUAD_EXISTS
    state.users[user_id].is_active = False
    assert refused(state, making.create_squad(user_id)) is Code.USER_INACTIVE
    state.users[user_id].erased_at = NOON
    assert refused(state, making.create_squad(user_id)) is Code.USER_NOT_FOUND


def test_transfer_gives_the_squad_to_another_active_user(world):
    state, user_id, squad_id = world
    other = new_id()
    decide(state, making.register_user(other))

    events = decide(state, making.transfer(squad_id, other))

    assert [*events] == [SquadOwnershipTransferred(squad_id=squad_id, from_user_id=user_id, to_user_id=other)]
    assert state.squads[squad_id].user_id == other


def test_transfer_refuses_what_makes_no_sense(world):
    state, user_id, squad_id = world

    assert refused(state, making.transfer(new_id(), user_id)) is Code.SQUAD_NOT_FOUND
    assert refused(state, making.transfer(squad_id, user_id)) is Code.SAME_OWNER
    assert refused(state, making.transfer(squad_id, new_id())) is Code.USER_NOT_FOUND


def test_task_is_created_pending_and_completed_once(world):
    state, _, squad_id = world
    project_id, task_id = new_id(), new_id()
    decide(state, making.create_project(squad_id, project_id))

    [created] = decide(state, making.create_task(squad_id, project_id, task_id))
    assert created == TaskCreated(
        squad_id=squad_id, project_id=project_id, task_id=task_id, title="Task", priority=Priority.NORMAL
    )
    assert state.tasks[task_id].status is TaskStatus.PENDING

    [completed] = decide(state, making.complete_task(squad_id, task_id))
    assert completed == TaskCompleted(squad_id=squad_id, project_id=project_id, task_id=task_id, completed_at=NOON)
    assert (state.tasks[task_id].status, state.tasks[task_id].completed_at) == (TaskStatus.COMPLETED, NOON)

    assert refused(state, making.complete_task(squad_id, task_id)) is Code.TASK_NOT_OPEN


@pytest.mark.parametrize(
    ("status", "may_complete"),
    [
        (TaskStatus.PENDING, True),
        (TaskStatus.IN_PROGRESS, True),
        (TaskStatus.COMPLETED, False),
        (TaskStatus.CANCELLED, False),
    ],
)
def test_only_an_open_task_is_completed(world, status, may_complete):
    state, _, squad_id = world
    project_id, task_id = new_id(), new_id()
    decide(state, making.create_project(squad_id, project_id))
    decide(state, making.create_task(squad_id, project_id, task_id))
    state.tasks[task_id].status = status

    if may_complete:
        assert decide(state, making.complete_task(squad_id, task_id))
    else:
        assert refused(state, making.complete_task(squad_id, task_id)) is Code.TASK_NOT_OPEN


def test_project_and_task_of_another_squad_are_not_found(world):
    state, user_id, squad_id = world
    other, project_id, task_id = new_id(), new_id(), new_id()
    decide(state, making.create_squad(user_id, other))
    decide(state, making.create_project(squad_id, project_id))
    decide(state, making.create_task(squad_id, project_id, task_id))

    assert refused(state, making.create_task(other, project_id)) is Code.PROJECT_NOT_FOUND
    assert refused(state, making.complete_task(other, task_id)) is Code.TASK_NOT_FOUND
    assert refused(state, making.create_project(other, project_id)) is Code.PROJECT_EXISTS
    assert refused(state, making.create_project(new_id())) is Code.SQUAD_NOT_FOUND
    assert refused(state, making.create_task(squad_id, project_id, task_id)) is Code.TASK_EXISTS


def test_archived_project_takes_no_tasks(world):
    state, _, squad_id = world
    project_id = new_id()
    state.projects[project_id] = Project(project_id, squad_id, "Old", ProjectStatus.ARCHIVED, NOON)

    assert refused(state, making.create_task(squad_id, project_id)) is Code.PROJECT_ARCHIVED


def test_every_command_declares_the_root_of_its_own_stream():
    one, two = new_id(), new_id()
    for command in (
        making.register_user(one),
        making.create_squad(two, one),
        making.transfer(one, two),
        making.create_project(one),
        making.create_task(one, two),
        making.complete_task(one, two),
        making.complete_project_tasks(one, two),
    ):
        reads = Reads()
        RULES[type(command)].read(command, reads)
        roots = reads.users if command.stream_kind == "user" else reads.squads
        assert roots[command.stream_id], f"{type(command).__name__} must lock its stream for change"
    assert len(RULES) == 7, "extend the list above"


def test_a_root_read_and_changed_in_one_batch_is_locked_for_change():
    reads, user_id = Reads(), new_id()
    reads.user_to_change(user_id)
    reads.user_to_read(user_id)
    assert reads.users == {user_id: True}

    reads = Reads()
    reads.user_to_read(user_id)
    reads.user_to_change(user_id)
    assert reads.users == {user_id: True}


def _sweep_rule() -> SweepRule:
    rule = RULES[commands.CompleteProjectTasks]
    assert isinstance(rule, SweepRule)
    return rule


def test_completing_a_projects_tasks_asks_for_a_sweep_and_changes_nothing_itself():
    state, squad_id, project_id = State(), new_id(), new_id()
    owner = new_id()
    decide(state, making.register_user(owner))
    decide(state, making.create_squad(owner, squad_id))
    decide(state, making.create_project(squad_id, project_id))
    decide(state, making.create_task(squad_id, project_id, task_id := new_id()))
    command = making.complete_project_tasks(squad_id, project_id)

    sweep = _sweep_rule().sweep(state, command, Given(NOON, lambda *_: ""))

    assert sweep == CompleteOpenTasks(project_id=project_id, completed_at=NOON)
    assert state.tasks[task_id].status == "pending"


def test_a_sweep_of_another_squads_project_is_refused():
    state, owner, squad_id = State(), new_id(), new_id()
    decide(state, making.register_user(owner))
    decide(state, making.create_squad(owner, squad_id))
    decide(state, making.create_squad(owner, other := new_id()))
    decide(state, making.create_project(other, project_id := new_id()))

    with pytest.raises(Rejected) as refused:
        _sweep_rule().sweep(state, making.complete_project_tasks(squad_id, project_id), Given(NOON, lambda *_: ""))
    assert refused.value.code is Code.PROJECT_NOT_FOUND


@pytest.mark.parametrize(("count", "ids"), [(2, (new_id(), new_id())), (1_001, None)])
def test_a_sweep_is_told_by_one_event(count, ids):
    command = making.complete_project_tasks(new_id(), new_id())

    [event] = _sweep_rule().tell(command, Given(NOON, lambda *_: ""), Swept(count=count, ids=ids))

    assert event == ProjectTasksCompleted(
        squad_id=command.squad_id, project_id=command.project_id, count=count, completed_at=NOON, task_ids=ids
    )


def test_a_sweep_that_found_nothing_causes_no_event():
    command = making.complete_project_tasks(new_id(), new_id())

    assert _sweep_rule().tell(command, Given(NOON, lambda *_: ""), Swept(count=0, ids=())) == []
