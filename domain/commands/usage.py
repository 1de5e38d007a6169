"""Commands on what a squad uses, by metric and month."""

from dataclasses import dataclass

from domain.streams import OfSquad
from domain.values import Amount, Metric, Month, Total


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordUsage(OfSquad):
    """Add an amount to what a squad used of something in a month."""

    metric: Metric
    month: Month
    amount: Amount = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SetUsageLimit(OfSquad):
    """Say what usage should stay at or below; crossing it is told, not refused. Left out: there is no limit."""

    metric: Metric
    month: Month
    limit: Total | None = None
