"""Why a record became a dead letter: a closed list."""

from enum import StrEnum
from typing import Final

MAX_DETAIL_CHARACTERS: Final = 500
"""How long an explanation may get; it can quote what a producer sent."""


class Reason(StrEnum):
    """What was wrong with a record that nobody can apply."""

    UNREADABLE = "unreadable"
    UNKNOWN_TYPE = "unknown-type"
    INVALID_DATA = "invalid-data"
    KEY_MISMATCH = "key-mismatch"
    ID_CONFLICT = "id-conflict"
    SOURCE_FORBIDDEN = "source-forbidden"
    REPLY_FORBIDDEN = "reply-forbidden"
    TOO_LARGE = "too-large"
    TOO_OLD = "too-old"
    FROM_THE_FUTURE = "from-the-future"
    UNFETCHABLE = "unfetchable"
    UNEXPECTED = "unexpected"
    """It can be read, and yet applying it fails each time: whatever it is, nobody foresaw it."""


class RefusedError(Exception):
    """A record cannot be read as a command.

    Args:
        reason: which kind of fault.
        detail: a sentence for people.
        errors: what is wrong by field, for data that does not fit its schema.
    """

    def __init__(self, reason: Reason, detail: str, errors: dict[str, str] | None = None) -> None:
        self.reason = reason
        self.detail = detail[:MAX_DETAIL_CHARACTERS]
        super().__init__(reason, self.detail)
        self.errors = errors or {}
