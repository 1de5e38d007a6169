"""The rules of usage: it adds up by metric and month, and crossing a limit is told once."""

import pytest

from domain import commands
from domain.events import UsageLimitCrossed, UsageLimitSet, UsageRecorded
from domain.rejections import Code
from domain.state import State, UsageKey
from domain.values import MAX_TOTAL, SquadStatus, first_of
from messages.registry import COMMANDS
from tests.making import new_id
from tests.unit.domain.deciding import decide, refused

METRIC, MONTH = "api-calls", "2026-05"
Event = UsageRecorded | UsageLimitSet | UsageLimitCrossed


class Usage:
    """Usage of one squad: each call decides a command and gives what was told of crossing."""

    def __init__(self, state: State, squad_id: str) -> None:
        self.state, self.squad_id = state, squad_id

    def record(self, amount: int, month: str = MONTH) -> list[tuple[int, int]]:
        command = commands.RecordUsage(squad_id=self.squad_id, metric=METRIC, month=month, amount=amount)
        recorded, *crossed = decide(self.state, command)
        assert isinstance(recorded, UsageRecorded)
        assert (recorded.amount, recorded.value) == (amount, self.value(month))
        return [(each.limit, each.value) for each in crossed if isinstance(each, UsageLimitCrossed)]

    def limit(self, limit: int | None) -> list[tuple[int, int]]:
        limited, *crossed = decide(self.state, self.set_limit(limit))
        assert limited == UsageLimitSet(squad_id=self.squad_id, metric=METRIC, month=MONTH, limit=limit)
        return [(each.limit, each.value) for each in crossed if isinstance(each, UsageLimitCrossed)]

    def set_limit(self, limit: int | None) -> commands.SetUsageLimit:
        return commands.SetUsageLimit(squad_id=self.squad_id, metric=METRIC, month=MONTH, limit=limit)

    def value(self, month: str = MONTH) -> int:
        return self.state.usage[UsageKey(self.squad_id, METRIC, first_of(month))].value


@pytest.fixture
def usage(world) -> Usage:
    state, _, squad_id = world
    return Usage(state, squad_id)


def test_usage_adds_up_by_month(usage):
    usage.record(3)
    usage.record(4)
    usage.record(5, "2026-06")

    assert (usage.value(), usage.value("2026-06")) == (7, 5)


def test_crossing_a_limit_is_told_once(usage):
    assert usage.limit(10) == []
    assert usage.record(10) == []
    assert usage.record(1) == [(10, 11)]
    assert usage.record(1) == []
    assert usage.record(100) == []


def test_limit_below_what_was_used_is_crossed_at_once_and_only_once(usage):
    usage.record(10)

    assert usage.limit(10) == []
    assert usage.limit(4) == [(4, 10)]
    assert usage.limit(3) == []
    assert usage.record(1) == []


def test_limit_that_was_raised_or_taken_away_can_be_crossed_again(usage):
    usage.limit(0)
    assert usage.record(1) == [(0, 1)]
    usage.limit(5)
    assert usage.record(5) == [(5, 6)]
    usage.limit(None)
    assert usage.record(5) == []
    assert usage.limit(10) == [(10, 11)]


def test_same_limit_is_refused(usage):
    assert refused(usage.state, usage.set_limit(None)) is Code.SAME_LIMIT
    usage.limit(5)
    assert refused(usage.state, usage.set_limit(5)) is Code.SAME_LIMIT


def test_usage_has_an_end_that_every_reader_of_json_can_count_to(usage):
    usage.record(1)
    usage.state.usage[UsageKey(usage.squad_id, METRIC, first_of(MONTH))].value = MAX_TOTAL - 1
    usage.record(1)

    command = commands.RecordUsage(squad_id=usage.squad_id, metric=METRIC, month=MONTH)
    assert refused(usage.state, command) is Code.USAGE_TOO_HIGH


def test_usage_needs_a_squad_that_works(usage):
    nowhere = commands.RecordUsage(squad_id=new_id(), metric=METRIC, month=MONTH)
    assert refused(usage.state, nowhere) is Code.SQUAD_NOT_FOUND
    usage.state.squads[usage.squad_id].status = SquadStatus.DISBANDED
    assert refused(usage.state, usage.set_limit(1)) is Code.SQUAD_DISBANDED


@pytest.mark.parametrize("month", ["2026-13", "2026-00", "0000-01", "2026-5", "26-05", "2026-05-01", "2026-05\n"])
def test_month_must_be_one(month):
    data = f'{{"squad_id":"{new_id()}","metric":"m","month":"{month}"}}'.encode().replace(b"\n", b"\\n")

    with pytest.raises(ValueError, match="month"):
        COMMANDS["squad.record-usage.v1"].decode(data)
