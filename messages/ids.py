"""Ids that are derived, so that deciding again gives the same ones: UUIDv5 in one namespace (RFC 9562, 5.5)."""

import hashlib
from typing import Final
from uuid import UUID

from pydantic_core import to_json

NAMESPACE: Final = UUID("6f1d0c6e-5d0e-5b0e-9c57-3a7d2f6c1b42")
"""Fixed for ever: another one would give every command's events other ids."""

_NAMESPACE_BYTES: Final = NAMESPACE.bytes
_VARIANT: Final = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


class CommandIds:
    """The ids that follow from one command's identity; what they have in common is written once.

    Args:
        source, command_id: what makes the command the same one.
    """

    __slots__ = ("_begin",)

    def __init__(self, source: str, command_id: str) -> None:
        self._begin = _NAMESPACE_BYTES + to_json((source, command_id))[:-1]

    def event(self, index: int) -> str:
        """Give the id of the command's n-th event, from 0."""
        return _uuid(self._begin + b',"event",%d]' % index)

    def outcome(self, revision: int) -> str:
        """Give the id of a revision, from 1, of the command's outcome."""
        return _uuid(self._begin + b',"outcome",%d]' % revision)

    def new(self, kind: str, index: int) -> str:
        """Give the id of the n-th new thing of a kind, such as `member`; the kind is a plain word."""
        return _uuid(self._begin + b',"%b",%d]' % (kind.encode(), index))


def dead_letter_id(topic: str, partition: int, offset: int, timestamp_milliseconds: int) -> str:
    """Give the id of the dead letter of a record."""
    return _uuid(_NAMESPACE_BYTES + to_json((topic, partition, offset, timestamp_milliseconds)))


def diverted_id(topic: str, position: int) -> str:
    """Give the id of the dead letter of an outbox row that Kafka refused."""
    return _uuid(_NAMESPACE_BYTES + to_json(("outbox", topic, position)))


def _uuid(content: bytes) -> str:
    """Give the UUIDv5 of namespace and name, as text, at a third of the cost of `uuid.uuid5`."""
    digest = hashlib.sha1(content, usedforsecurity=False).hexdigest()
    variant = _VARIANT[digest[16]]
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"
