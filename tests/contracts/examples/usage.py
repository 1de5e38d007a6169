"""Messages of usage."""

from typing import Any

from domain import commands, events
from tests.contracts.examples.things import SQUAD

EXAMPLES: dict[str, Any] = {
    "squad.record-usage.v1": commands.RecordUsage(squad_id=SQUAD, metric="api-calls", month="2026-05", amount=3),
    "squad.set-usage-limit.v1": commands.SetUsageLimit(squad_id=SQUAD, metric="api-calls", month="2026-05", limit=100),
    "squad.usage-recorded.v1": events.UsageRecorded(
        squad_id=SQUAD, metric="api-calls", month="2026-05", amount=3, value=101
    ),
    "squad.usage-limit-set.v1": events.UsageLimitSet(squad_id=SQUAD, metric="api-calls", month="2026-05", limit=100),
    "squad.usage-limit-crossed.v1": events.UsageLimitCrossed(
        squad_id=SQUAD, metric="api-calls", month="2026-05", limit=100, value=101
    ),
}
