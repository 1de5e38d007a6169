"""What the demo plans to send."""

from collections import Counter
from datetime import UTC, datetime

import pytest

from app.demo.workload import Planned, Workload
from domain.rejections import Code
from messages.refusals import Reason

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def _plan(*, count: int = 500, seed: int = 1) -> list[Planned]:
    workload = Workload(count=count, seed=seed, source="/tests", time=NOON)
    return [*workload.users(), *workload.work()]


def test_same_seed_plans_the_same() -> None:
    assert _plan(seed=3) == _plan(seed=3)
    assert _plan(seed=3) != _plan(seed=4)


@pytest.mark.parametrize("count", [100, 500, 2_000])
def test_as_many_are_planned_as_were_asked_for(count: int) -> None:
    assert len(_plan(count=count)) == count


def test_a_small_plan_has_everything_that_can_be_wrong() -> None:
    planned = _plan()

    kinds = Counter(each.kind for each in planned)
    assert kinds["valid"] > 300
    assert kinds["duplicate"] > 10
    expected = {each.expected for each in planned}
    wrong = {Reason.UNREADABLE, Reason.KEY_MISMATCH, Reason.INVALID_DATA, Reason.UNKNOWN_TYPE, Reason.ID_CONFLICT}
    assert {f"dead-lettered:{reason}" for reason in wrong} <= expected
    refused = {Code.EMAIL_TAKEN, Code.SAME_OWNER, Code.CANNOT_COMPLETE_COMPLETED_TASK, Code.SQUAD_NOT_FOUND}
    assert {f"rejected:{code}" for code in refused} <= expected


def test_duplicates_are_near_and_far_and_repeat_every_byte() -> None:
    planned = _plan()
    places: dict[str, int] = {}
    distances = []
    for place, each in enumerate(planned):
        if each.kind == "duplicate" and each.id is not None:
            first = planned[places[each.id]]
            assert (each.key, each.value, each.headers) == (first.key, first.value, first.headers)
            distances.append(place - places[each.id])
        elif each.id is not None:
            places.setdefault(each.id, place)

    assert min(distances) == 1
    assert max(distances) > 100


def test_steady_commands_are_all_applied() -> None:
    workload = Workload(count=100, seed=1, source="/tests", time=NOON)
    workload.users()

    assert {each.expected for each in workload.steady(50)} == {"applied"}
