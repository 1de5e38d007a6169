"""Commands on a user's stream."""

from dataclasses import dataclass, field
from typing import Final

from domain.streams import OfUser
from domain.values import Email, PasswordHash, PersonName, PlanTier

NEW_USER: Final = "New User"
"""The name of whoever registers without one, as in the guide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterUser(OfUser):
    """Make a user known; the e-mail must not belong to another one."""

    email: Email
    name: PersonName


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterUserIfAbsent(OfUser):
    """Make a user known, unless somebody has the e-mail; the outcome's `found` then says who."""

    email: Email
    name: PersonName = NEW_USER


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameUser(OfUser):
    """Give an active user another name."""

    name: PersonName


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePlanTier(OfUser):
    """Put an active user on another plan."""

    plan_tier: PlanTier


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyEmail(OfUser):
    """Note that an active user's e-mail was proved to be theirs; it is named, because it may have changed since."""

    email: Email


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeEmail(OfUser):
    """Give an active user another e-mail, not verified yet; it must not belong to another user."""

    email: Email


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPasswordHash(OfUser):
    """Replace what an active user's password is compared with; whoever made it knows how to read it."""

    password_hash: PasswordHash = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeactivateUser(OfUser):
    """Let a user be inactive, for a while or for ever; their e-mail is free for others from then on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReactivateUser(OfUser):
    """Let a deactivated user be active again; somebody else must not have their e-mail by now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteUser(OfUser):
    """Erase a user for good, active or not; they must not own a squad that is not disbanded."""
