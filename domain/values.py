"""The bounded values that commands and events are made of.

Ids are text, not `uuid.UUID`: they arrive, are looked up, are compared and leave as text, and one regular expression at
the boundary costs less than building and formatting an object at every step.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Final

from annotated_types import Ge, Le, Len, Predicate


@dataclass(frozen=True, slots=True)
class Shape:
    """What text looks like: for whoever validates it, and for the published JSON Schema.

    Args:
        pattern: a regular expression, anchored (JSON Schema 2020-12 validation, 6.3.3).
        format: a name that the same document knows (7.3).
    """

    pattern: str | None = None
    format: str | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:  # noqa: ANN401 - a type
        """Let pydantic check the pattern itself: calling Python for each field costs four times as much.

        A hook that pydantic finds by its name, so that nothing of pydantic is needed here.
        """
        schema = handler(source)
        return schema if self.pattern is None else {**schema, "pattern": self.pattern}


@dataclass(frozen=True, slots=True)
class Personal:
    """Marks a field that holds personal data; logs and listings mask it."""


PERSONAL: Final = Personal()


@dataclass(frozen=True, slots=True)
class Secret:
    """Marks a field that is shown nowhere, not even to those who ask for personal data, and told to nobody."""


SECRET: Final = Secret()

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_EMAIL = re.compile(r"[^\s@]+@[^\s@]+")
_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def is_id(text: str) -> bool:
    """Tell whether `text` is a UUID in its canonical form: 36 characters, lower case, hyphenated (RFC 9562, 4)."""
    return _ID.fullmatch(text) is not None


def is_email(text: str) -> bool:
    """Tell whether `text` has the shape of an address: one `@` with something on both sides and no white space."""
    return _EMAIL.fullmatch(text) is not None


def is_storable(text: str) -> bool:
    """Tell whether a text can be stored at all: it has no NUL, and no half of a pair that stands for one character."""
    return _UNSTORABLE.search(text) is None


def email_key(email: str) -> str:
    """Give the form in which e-mail addresses are compared: case-folded, in normal form C on both sides of folding."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", email).casefold())


STORABLE: Final = Shape(pattern=r"^[^\x00]*$")
"""PostgreSQL's text has no NUL."""

Id = Annotated[str, Len(36, 36), Shape(pattern=f"^{_ID.pattern}$", format="uuid")]
UserId = Id
SquadId = Id
MemberId = Id
ProjectId = Id
TaskId = Id
FeedbackId = Id

Email = Annotated[str, Len(3, 320), Predicate(is_email), Shape(pattern=STORABLE.pattern, format="email"), PERSONAL]
PersonName = Annotated[str, Len(1, 200), STORABLE, PERSONAL]
PasswordHash = Annotated[str, Len(1, 500), STORABLE, SECRET]
Name = Annotated[str, Len(1, 200), STORABLE]
Description = Annotated[str, Len(0, 4000), STORABLE]
Title = Annotated[str, Len(1, 200), STORABLE]
Role = Annotated[str, Len(1, 50), Shape(pattern=f"^{_SLUG.pattern}$")]

Comment = Annotated[str, Len(1, 4000), STORABLE, PERSONAL]
Rating = Annotated[int, Ge(1), Le(5)]

MAX_TOTAL: Final = 2**53 - 1
"""Beyond it not every reader of JSON tells two numbers apart (RFC 8259, 6)."""

Metric = Annotated[str, Len(1, 50), Shape(pattern=f"^{_SLUG.pattern}$")]
Month = Annotated[str, Len(7, 7), Shape(pattern="^[1-9][0-9]{3}-(0[1-9]|1[0-2])$")]
Amount = Annotated[int, Ge(1), Le(1_000_000_000)]
Total = Annotated[int, Ge(0), Le(MAX_TOTAL)]


def first_of(month: Month) -> date:
    """Give the first day of a month, which is how the tables name it."""
    return date.fromisoformat(f"{month}-01")


class UserStatus(StrEnum):
    """Whether a user takes part."""

    ACTIVE = "active"
    DEACTIVATED = "deactivated"
    ERASED = "erased"


class EmailStatus(StrEnum):
    """Whether an e-mail was proved to be its user's."""

    UNVERIFIED = "unverified"
    VERIFIED = "verified"


class PlanTier(StrEnum):
    """What a user pays for."""

    FREE = "free"
    PRO = "pro"
    ENTERPRISE = "enterprise"


class SquadStatus(StrEnum):
    """Whether a squad still works."""

    ACTIVE = "active"
    DISBANDED = "disbanded"


class MemberStatus(StrEnum):
    """Whether a member is still in its squad."""

    ACTIVE = "active"
    REMOVED = "removed"


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


OPEN: Final = frozenset({TaskStatus.PENDING, TaskStatus.IN_PROGRESS})
"""Tasks that are still to be done."""


class FeedbackStatus(StrEnum):
    """Whether feedback counts."""

    SUBMITTED = "submitted"
    WITHDRAWN = "withdrawn"


class Priority(StrEnum):
    """How urgent a task is."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"
