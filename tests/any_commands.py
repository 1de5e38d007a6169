"""Any commands at all, on so few things that they meet: for property tests.

A command's fields are drawn by their names, so a new command is among them as soon as it exists; a field of a new name
needs a line in `_FIELDS`.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, Final
from uuid import UUID

from hypothesis import strategies as st

from domain import commands
from domain.commands import Command, NewTask
from domain.tables import RULES
from domain.values import PlanTier, Priority
from messages.ids import CommandIds
from tests import making
from tests.making import SOURCE

LEAST: Final = 20
MOST: Final = 40
"""So many commands are drawn; without a least number most sequences would have five, which seldom meet."""


def _ids(kind: int, count: int) -> list[str]:
    return [str(UUID(int=(kind << 100) + number, version=4)) for number in range(count)]


USERS, SQUADS, PROJECTS, TASKS, FEEDBACK = (_ids(kind, count) for kind, count in enumerate((3, 2, 3, 5, 2), start=1))


def given() -> list[Command]:
    """Give what there is before: without it, nearly everything would be refused."""
    made: list[Command] = [making.register_user(user, email=f"user{n}@example.org") for n, user in enumerate(USERS[:2])]
    made += [making.create_squad(USERS[0], squad, roles=("developer", "tester")) for squad in SQUADS]
    made += [making.create_project(SQUADS[0], PROJECTS[0]), making.create_project(SQUADS[1], PROJECTS[1])]
    return [
        *made,
        making.create_task(SQUADS[0], PROJECTS[0], TASKS[0]),
        making.create_task(SQUADS[1], PROJECTS[1], TASKS[1]),
    ]


MEMBERS: Final = [CommandIds(SOURCE, str(number)).new("member", seat) for number in (2, 3) for seat in (0, 1)]
"""Those of the squads above; ids of commands are their places."""


def _optional(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


_words: Final = st.sampled_from(("one", "two"))
_new_task: Final = st.builds(NewTask, task_id=st.sampled_from(TASKS), title=_words)

_FIELDS: Final[Mapping[str, st.SearchStrategy[Any]]] = {
    "user_id": st.sampled_from(USERS),
    "new_owner_id": st.sampled_from(USERS),
    "squad_id": st.sampled_from(SQUADS),
    "project_id": st.sampled_from(PROJECTS),
    "task_id": st.sampled_from(TASKS),
    "member_id": st.sampled_from(MEMBERS),
    "feedback_id": st.sampled_from(FEEDBACK),
    # Two ways to write one of them.
    "email": st.sampled_from(("user0@example.org", "USER1@example.org", "user1@example.org", "user2@example.org")),
    "name": _words,
    "squad_name": _words,
    "title": _words,
    "description": _optional(_words),
    "comment": _optional(_words),
    "password_hash": _words,
    "role": _words,
    "roles": st.lists(_words, min_size=1, max_size=2).map(tuple),
    "tasks": st.lists(_new_task, min_size=1, max_size=3).map(tuple),
    "plan_tier": st.sampled_from(PlanTier),
    "priority": st.sampled_from(Priority),
    "rating": st.integers(1, 5),
    "metric": _words,
    "month": st.sampled_from(("2026-10", "2026-11")),
    "amount": st.integers(1, 3),
    "limit": _optional(st.integers(0, 4)),
    "cancel_open_tasks": st.booleans(),
    "squad_optional": st.booleans(),
}

_MAY_LACK: Final = {
    (commands.AssignTask, "member_id"),
    (commands.SubmitFeedback, "task_id"),
    (commands.SubmitFeedback, "user_id"),
}
"""Fields that name something in most commands, but need not in these."""


def _commands_of(form: Callable[..., Command]) -> st.SearchStrategy[Command]:
    return st.builds(
        form,
        **{
            field.name: _optional(_FIELDS[field.name]) if (form, field.name) in _MAY_LACK else _FIELDS[field.name]
            for field in fields(form)  # type: ignore[arg-type] # all are dataclasses
        },
    )


COMMANDS: Final = st.lists(st.one_of([_commands_of(form) for form in RULES]), min_size=LEAST, max_size=MOST)


def seldom() -> list[Command]:
    """Give commands whose effects are seldom drawn: usage that crosses limits and does not, names and e-mails."""
    of_usage = {"squad_id": SQUADS[0], "metric": "one", "month": "2026-10"}
    record_usage = commands.RecordUsage(**of_usage, amount=3)
    limits = [commands.SetUsageLimit(**of_usage, limit=limit) for limit in (4, 20, 2)]
    name_twice = [commands.RenameUser(user_id=USERS[0], name="one")] * 2
    emails = [
        commands.ChangeEmail(user_id=USERS[1], email=email) for email in ("user2@example.org", "USER1@example.org")
    ]
    return [limits[0], *[record_usage] * 3, *limits[1:], record_usage, *name_twice, *emails, *emails]
