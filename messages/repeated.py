"""JSON objects in which a name comes twice: readers disagree which of the two counts (RFC 8259, 4), so neither does."""

from json import JSONDecoder
from typing import Any, Final


class _RepeatedError(Exception):
    """A name came twice."""


def find(data: bytes) -> str | None:
    """Give a name that comes twice in one object; `None` when none does.

    Args:
        data: JSON that was read already, so it is neither malformed nor nested too deep.
    """
    try:
        _DECODER.decode(data.decode())
    except _RepeatedError as repeated:
        return str(repeated)
    return None


def _see(members: list[tuple[str, Any]]) -> None:
    names: set[str] = set()
    for name, _ in members:
        if name in names:
            raise _RepeatedError(name)
        names.add(name)


# Numbers stay text: nobody looks at them, and reading a long one can fail.
_DECODER: Final = JSONDecoder(object_pairs_hook=_see, parse_int=str, parse_float=str, parse_constant=str)
