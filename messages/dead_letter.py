"""A record that nobody took, as it is published again: with the reasons as headers, cut so that Kafka takes it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

MAX_KEY_BYTES: Final = 1_024
"""A longer key is not published, only kept: ours have 36 bytes."""

DETAIL_CHARACTERS: Final = 2_000
"""How much of an explanation is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """What is published of a record."""

    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]


def cut(
    key: bytes | None,
    value: bytes | None,
    headers: Sequence[tuple[str, bytes | None]],
    reasons: Mapping[str, str],
    *,
    max_bytes: int,
    withhold: bool = False,
) -> Cut:
    """Cut a record, and add the headers that say why it is here and what was left out.

    Args:
        key, value, headers: the record's own.
        reasons: further headers.
        max_bytes: of the record's headers and value together; the headers that say why are a few kilobytes more.
        withhold: leave out the whole value, because it may hold a secret.
    """
    told, own = dict(reasons), list(headers)
    size = sum(len(name.encode()) + len(content or b"") for name, content in own)
    if size > max_bytes // 4:
        told["dead-letter-headers-left-out"] = str(len(own))
        own, size = [], 0
    left = 0 if withhold else max_bytes - size
    if value is not None and len(value) > left:
        told["dead-letter-cut-from-bytes"] = str(len(value))
        value = value[:left]
    if key is not None and len(key) > MAX_KEY_BYTES:
        told["dead-letter-key-left-out-bytes"] = str(len(key))
        key = None
    return Cut(key=key, value=value, headers=own + [(name, content.encode()) for name, content in told.items()])
