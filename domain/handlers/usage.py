"""The rules of usage: it adds up by metric and month, and crossing a limit is told once."""

from collections.abc import Sequence

from domain.commands import RecordUsage, SetUsageLimit
from domain.events import Event, UsageLimitCrossed, UsageLimitSet, UsageRecorded
from domain.given import Given
from domain.handlers.squads import find_squad
from domain.reads import Reads
from domain.rejections import Code, Rejected
from domain.state import State, Usage, UsageKey
from domain.values import MAX_TOTAL, Month, first_of


def read_for_usage(command: RecordUsage | SetUsageLimit, reads: Reads) -> None:
    """The squad and what it used so far."""
    reads.squad_to_change(command.squad_id)
    reads.usage.add(_key(command))


def record_usage(state: State, command: RecordUsage, given: Given) -> Sequence[Event]:
    """It is added up in any month, past or to come; whatever the limit is, nothing is refused for it."""
    squad, key = find_squad(state, command.squad_id), _key(command)
    usage = state.usage.get(key)
    if (0 if usage is None else usage.value) + command.amount > MAX_TOTAL:
        raise Rejected(Code.USAGE_TOO_HIGH, f"The usage would be above {MAX_TOTAL}")
    usage = usage or _begin(state, key, given)
    was_above = usage.is_above
    usage.value += command.amount
    recorded = UsageRecorded(
        squad_id=squad.id, metric=command.metric, month=command.month, amount=command.amount, value=usage.value
    )
    return [recorded, *_tell_crossing(usage, command.month, was_above=was_above)]


def set_usage_limit(state: State, command: SetUsageLimit, given: Given) -> Sequence[Event]:
    """A limit below what was used already is crossed at once; one above it can be crossed again."""
    squad, key = find_squad(state, command.squad_id), _key(command)
    usage = state.usage.get(key)
    if (None if usage is None else usage.limit_value) == command.limit:
        raise Rejected(Code.SAME_LIMIT, "The usage has this limit already")
    usage = usage or _begin(state, key, given)
    was_above = usage.is_above
    usage.limit_value = command.limit
    limited = UsageLimitSet(squad_id=squad.id, metric=command.metric, month=command.month, limit=command.limit)
    return [limited, *_tell_crossing(usage, command.month, was_above=was_above)]


def _key(command: RecordUsage | SetUsageLimit) -> UsageKey:
    return UsageKey(command.squad_id, command.metric, first_of(command.month))


def _begin(state: State, key: UsageKey, given: Given) -> Usage:
    usage = state.usage[key] = Usage(given.new_id("usage", 0), *key, value=0, limit_value=None)
    return usage


def _tell_crossing(usage: Usage, month: Month, *, was_above: bool) -> Sequence[Event]:
    if usage.limit_value is None or was_above or not usage.is_above:
        return ()
    return [
        UsageLimitCrossed(
            squad_id=usage.squad_id, metric=usage.metric, month=month, limit=usage.limit_value, value=usage.value
        )
    ]
