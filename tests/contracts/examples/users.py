"""Messages of users."""

from typing import Any

from domain import commands, events
from domain.values import PlanTier
from tests.contracts.examples.things import USER
from tests.making import NOON

EXAMPLES: dict[str, Any] = {
    "user.register.v1": commands.RegisterUser(user_id=USER, email="Ada@Example.org", name="Ada"),
    "user.register-if-absent.v1": commands.RegisterUserIfAbsent(user_id=USER, email="Ada@Example.org"),
    "user.registered.v1": events.UserRegistered(user_id=USER, plan_tier=PlanTier.FREE, registered_at=NOON),
}
