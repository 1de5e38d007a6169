"""Events that do not fit what was told before them are found, each by the rule of its own."""

from collections.abc import Sequence

import pytest

from checker.rebuilt import Rebuilt
from checker.retelling import RETELL
from domain import events
from domain.events import Event
from domain.values import PlanTier
from messages.masking import read_masked
from messages.registry import EVENTS
from tests.contracts.examples.things import FEEDBACK, SQUAD, USER
from tests.making import NOON

REGISTERED = events.UserRegistered(user_id=USER, plan_tier=PlanTier.FREE, registered_at=NOON)


def changed(before: PlanTier, after: PlanTier) -> events.PlanTierChanged:
    return events.PlanTierChanged(user_id=USER, from_tier=before, to_tier=after)


def used(amount: int, value: int) -> events.UsageRecorded:
    return events.UsageRecorded(squad_id=SQUAD, metric="tokens", month="2026-05", amount=amount, value=value)


def limited(limit: int | None) -> events.UsageLimitSet:
    return events.UsageLimitSet(squad_id=SQUAD, metric="tokens", month="2026-05", limit=limit)


def crossed(limit: int, value: int) -> events.UsageLimitCrossed:
    return events.UsageLimitCrossed(squad_id=SQUAD, metric="tokens", month="2026-05", limit=limit, value=value)


def retell(*told: Event) -> Rebuilt:
    rebuilt = Rebuilt()
    for event in told:
        message_type = EVENTS[type(event)]
        RETELL[message_type.name](rebuilt, read_masked(message_type.name, message_type.encode(event)))
    return rebuilt


@pytest.mark.parametrize(
    "told",
    [
        [events.UserRenamed(user_id=USER)],
        [events.PasswordHashSet(user_id=USER)],
        [events.EmailVerified(user_id=USER)],
        [events.EmailChanged(user_id=USER)],
        [events.UserDeactivated(user_id=USER, deactivated_at=NOON)],
        [events.UserReactivated(user_id=USER)],
        [events.UserDeleted(user_id=USER, erased_at=NOON)],
        [events.FeedbackWithdrawn(squad_id=SQUAD, feedback_id=FEEDBACK, withdrawn_at=NOON)],
        [REGISTERED, changed(PlanTier.PRO, PlanTier.FREE)],
        [used(2, 3)],
        [used(2, 2), used(2, 3)],
        [used(2, 2), crossed(1, 2)],
        [limited(2), used(2, 2), crossed(2, 2)],
        [limited(1), used(2, 2), crossed(1, 3)],
    ],
)
def test_what_cannot_have_happened_is_found(told: Sequence[Event]) -> None:
    retell(*told[:-1])

    with pytest.raises((KeyError, ValueError)):
        retell(*told)


def test_what_can_have_happened_is_told() -> None:
    rebuilt = retell(REGISTERED, changed(PlanTier.FREE, PlanTier.PRO), limited(1), used(2, 2), crossed(1, 2))

    assert rebuilt.users[USER]["plan_tier"] == "pro"
    assert [*rebuilt.usage.values()] == [{"squad_id": SQUAD, "value": 2, "limit_value": 1}]
