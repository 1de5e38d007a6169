"""A small world for each test."""

import pytest

from domain.state import State
from tests import making
from tests.making import new_id
from tests.unit.domain.deciding import decide


@pytest.fixture
def world() -> tuple[State, str, str]:
    """A state with one active user who owns one squad."""
    state, user_id, squad_id = State(), new_id(), new_id()
    decide(state, making.register_user(user_id))
    decide(state, making.create_squad(user_id, squad_id))
    return state, user_id, squad_id


@pytest.fixture
def task(world: tuple[State, str, str]) -> tuple[State, str, str, str]:
    """A state with an active user's squad, which has one free member and one active project with one pending task."""
    state, _, squad_id = world
    decide(state, making.create_project(squad_id, project_id := new_id()))
    decide(state, making.create_task(squad_id, project_id, task_id := new_id()))
    return state, squad_id, project_id, task_id
