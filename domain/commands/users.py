"""Commands on a user's stream."""

from dataclasses import dataclass
from typing import Final

from domain.streams import OfUser
from domain.values import Email, PersonName

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
