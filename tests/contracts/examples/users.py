"""Messages of users."""

from typing import Any

from domain import commands, events
from domain.values import PlanTier
from tests.contracts.examples.things import USER
from tests.making import NOON

EXAMPLES: dict[str, Any] = {
    "user.register.v1": commands.RegisterUser(user_id=USER, email="Ada@Example.org", name="Ada"),
    "user.register-if-absent.v1": commands.RegisterUserIfAbsent(user_id=USER, email="Ada@Example.org"),
    "user.rename.v1": commands.RenameUser(user_id=USER, name="Grace"),
    "user.change-plan-tier.v1": commands.ChangePlanTier(user_id=USER, plan_tier=PlanTier.PRO),
    "user.verify-email.v1": commands.VerifyEmail(user_id=USER, email="Ada@Example.org"),
    "user.change-email.v1": commands.ChangeEmail(user_id=USER, email="Grace@Example.org"),
    "user.set-password-hash.v1": commands.SetPasswordHash(user_id=USER, password_hash="$argon2id$c2FsdA$aGFzaA"),
    "user.deactivate.v1": commands.DeactivateUser(user_id=USER),
    "user.reactivate.v1": commands.ReactivateUser(user_id=USER),
    "user.delete.v1": commands.DeleteUser(user_id=USER),
    "user.registered.v1": events.UserRegistered(user_id=USER, plan_tier=PlanTier.FREE, registered_at=NOON),
    "user.renamed.v1": events.UserRenamed(user_id=USER),
    "user.plan-tier-changed.v1": events.PlanTierChanged(user_id=USER, from_tier=PlanTier.FREE, to_tier=PlanTier.PRO),
    "user.email-verified.v1": events.EmailVerified(user_id=USER),
    "user.password-hash-set.v1": events.PasswordHashSet(user_id=USER),
    "user.deactivated.v1": events.UserDeactivated(user_id=USER, deactivated_at=NOON),
    "user.reactivated.v1": events.UserReactivated(user_id=USER),
    "user.deleted.v1": events.UserDeleted(user_id=USER, erased_at=NOON),
    "user.email-changed.v1": events.EmailChanged(user_id=USER),
}
