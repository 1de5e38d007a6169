"""The identity of a command that a request asks for: a UUID version 7, which says when it was asked too.

A retry must repeat a command's id, time and content. Taking the time from the id makes it so whichever process the
retry meets, and whatever that one knows of the first attempt.
"""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from domain.values import is_id

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_VERSION: Final = 7


class KeyFormError(ValueError):
    """What came as an idempotency key is none; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which command, and since when it has been asked for.

    Args:
        id: of the command.
        time: when it was first asked, UTC, to the millisecond.
        again: whether the client chose the id, so that it may have been sent before.
    """

    id: str
    time: datetime
    again: bool


def ask_anew(now: datetime) -> Asked:
    """Give a new identity.

    Args:
        now: UTC.
    """
    milliseconds = (now - _EPOCH) // timedelta(milliseconds=1)
    # RFC 9562, 5.7: 48 bits of time, version, 12 random bits, variant, 62 random bits.
    number = milliseconds << 80 | _VERSION << 76 | secrets.randbits(12) << 64 | 0b10 << 62 | secrets.randbits(62)
    return Asked(id=str(UUID(int=number)), time=_EPOCH + timedelta(milliseconds=milliseconds), again=False)


def ask_again(key: str) -> Asked:
    """Give the identity that an `Idempotency-Key` names, with or without the quotes that its draft standard wants.

    Raises:
        KeyFormError: it is not a UUID version 7, or names a time that no calendar has.
    """
    text = key.removeprefix('"').removesuffix('"').lower()
    if not is_id(text) or UUID(text).version != _VERSION:
        raise KeyFormError("Idempotency-Key must be a UUID version 7: its time is the command's")
    try:
        time = _EPOCH + timedelta(milliseconds=UUID(text).int >> 80)
    except OverflowError:
        raise KeyFormError("Idempotency-Key names a time that no calendar has") from None
    return Asked(id=text, time=time, again=True)
