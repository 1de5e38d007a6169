"""The bounded values that commands and events are made of.

Ids are text, not `uuid.UUID`: they arrive, are looked up, are compared and leave as text, and one regular expression at
the boundary costs less than building and formatting an object at every step.
"""

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final

from annotated_types import Len, Predicate


@dataclass(frozen=True, slots=True)
class Shape:
    """How a published JSON Schema describes text that a predicate checks.

    Args:
        pattern: a regular expression, anchored (JSON Schema 2020-12 validation, 6.3.3).
        format: a name that the same document knows (7.3).
    """

    pattern: str | None = None
    format: str | None = None


@dataclass(frozen=True, slots=True)
class Personal:
    """Marks a field that holds personal data; logs and listings mask it."""


PERSONAL: Final = Personal()

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_EMAIL = re.compile(r"[^\s@]+@[^\s@]+")
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def is_id(text: str) -> bool:
    """Tell whether `text` is a UUID in its canonical form: 36 characters, lower case, hyphenated (RFC 9562, 4)."""
    return _ID.fullmatch(text) is not None


def is_email(text: str) -> bool:
    """Tell whether `text` has the shape of an address: one `@` with something on both sides and no white space."""
    return _EMAIL.fullmatch(text) is not None


def is_slug(text: str) -> bool:
    """Tell whether `text` is lower-case letters and digits, in words joined by single hyphens."""
    return _SLUG.fullmatch(text) is not None


def is_text(text: str) -> bool:
    """Tell whether `text` can be stored: PostgreSQL's text has no NUL."""
    return "\0" not in text


def email_key(email: str) -> str:
    """Give the form in which e-mail addresses are compared: case-folded, in normal form C on both sides of folding."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", email).casefold())


Id = Annotated[str, Len(36, 36), Predicate(is_id), Shape(pattern=f"^{_ID.pattern}$", format="uuid")]
UserId = Id
SquadId = Id
MemberId = Id
ProjectId = Id
TaskId = Id

Email = Annotated[str, Len(3, 320), Predicate(is_email), Predicate(is_text), Shape(format="email"), PERSONAL]
PersonName = Annotated[str, Len(1, 200), Predicate(is_text), PERSONAL]
Name = Annotated[str, Len(1, 200), Predicate(is_text)]
Description = Annotated[str, Len(0, 4000), Predicate(is_text)]
Title = Annotated[str, Len(1, 200), Predicate(is_text)]
Role = Annotated[str, Len(1, 50), Predicate(is_slug), Shape(pattern=f"^{_SLUG.pattern}$")]


class PlanTier(StrEnum):
    """What a user pays for."""

    FREE = "free"
    PRO = "pro"
    ENTERPRISE = "enterprise"


class SquadStatus(StrEnum):
    """Whether a squad still works."""

    ACTIVE = "active"
    DISBANDED = "disbanded"


class ProjectStatus(StrEnum):
    """Whether a project still takes tasks."""

    ACTIVE = "active"
    ARCHIVED = "archived"


class TaskStatus(StrEnum):
    """Where a task stands."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class Priority(StrEnum):
    """How urgent a task is."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"
