"""W3C Trace Context as an event carries it: the trace of the command's origin, or none at all.

A trace that is malformed never refuses a command and is never published (Trace Context, 3.2.2 and 3.3.1).
"""

import re
from typing import Final

MAX_TRACESTATE_CHARACTERS: Final = 512
"""What vendors should propagate at least (Trace Context, 3.3.1.5); a longer one is left out whole."""

_PARENT: Final = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?P<later>-[\x21-\x7e]{0,200})?"
)
_KEY: Final = r"[a-z0-9][a-z0-9_\-*/@]{0,255}"
_VALUE: Final = r"[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
_MEMBER: Final = re.compile(rf"{_KEY}={_VALUE}")
_MAX_MEMBERS: Final = 32


def read_trace(attributes: dict[str, str]) -> tuple[str | None, str | None]:
    """Give `traceparent` and `tracestate` as they are to be published.

    The origin's (`ce_traceparent`) counts; where the producer gave none that is one, the hop's, which is the transport
    header.

    Args:
        attributes: of a record.
    """
    for prefix in ("", "hop-"):
        parent, state = attributes.get(prefix + "traceparent"), attributes.get(prefix + "tracestate")
        if parent is not None and is_traceparent(parent):
            return parent, state if state is not None and is_tracestate(state) else None
    return None, None


def is_traceparent(text: str) -> bool:
    """Tell whether `text` is well-formed: of version 00 exactly, of a later one in the part that is known."""
    found = _PARENT.fullmatch(text)
    return found is not None and (found["later"] is None or not text.startswith("00"))


def is_tracestate(text: str) -> bool:
    """Tell whether `text` is a list of members that is worth keeping."""
    if len(text) > MAX_TRACESTATE_CHARACTERS:
        return False
    # Split first: one expression for the whole list could share out its spaces in more ways than anybody lives to see.
    members = [member.strip(" \t") for member in text.split(",")]
    return (
        len(members) <= _MAX_MEMBERS
        and any(members)
        and all(not member or _MEMBER.fullmatch(member) for member in members)
    )
