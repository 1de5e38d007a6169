"""Events of what a squad uses, by metric and month."""

from dataclasses import dataclass

from domain.streams import OfSquad
from domain.values import Amount, Metric, Month, Total


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRecorded(OfSquad):
    """A squad used something; `value` is how much it is in the month with this."""

    metric: Metric
    month: Month
    amount: Amount
    value: Total


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageLimitSet(OfSquad):
    """A squad's usage of something in a month has another limit, or none."""

    metric: Metric
    month: Month
    limit: Total | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageLimitCrossed(OfSquad):
    """A squad's usage came to be above its limit, by more usage or a lower limit; told once for each time it does."""

    metric: Metric
    month: Month
    limit: Total
    value: Total
