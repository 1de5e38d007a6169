"""Commands on a user's stream."""

from dataclasses import dataclass

from domain.streams import OfUser
from domain.values import Email, PersonName


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterUser(OfUser):
    """Make a user known; the e-mail must not belong to another one."""

    email: Email
    name: PersonName
