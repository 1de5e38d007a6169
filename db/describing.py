"""Errors as they may be logged: what is wrong and where, without any value that was to be stored or decided.

The server's details, a driver's complaints and a handler's exceptions quote values, and those may be personal.
"""

import traceback
from collections.abc import Iterator
from pathlib import PurePath
from typing import Final

from sqlalchemy.exc import DBAPIError

from db.errors import sqlstate

_QUOTES_NO_VALUES: Final = frozenset({"08", "23", "25", "40", "42", "53", "55", "57", "58"})
"""Classes of errors whose primary message names tables, columns and constraints at most (PostgreSQL, appendix A)."""

_PASSED_BY_ALL: Final = frozenset({"site-packages", "one_task.py"})
"""Directories and files that whatever the database refuses comes through, and so say nothing."""

_NAMES: Final = ("schema_name", "table_name", "column_name", "constraint_name", "data_type_name")


def describe(error: BaseException) -> str:
    """Say in one line what an error is: its class, its state, what it concerns, and its message where that is safe."""
    origin = _origin(error)
    state = sqlstate(error)
    parts = [type(origin).__name__]
    if state is not None:
        parts.append(f"sqlstate {state}")
    parts += (f"{name} {text}" for name in _NAMES if isinstance(text := getattr(origin, name, None), str))
    message = getattr(origin, "message", None)
    if state is not None and state[:2] in _QUOTES_NO_VALUES and isinstance(message, str):
        parts.append(message.partition("\n")[0])
    return ", ".join(parts)


def trace(error: BaseException) -> str:
    """Give where an error came from: the frames of its traceback and of its causes', without their messages."""
    return "\n".join(
        f"{type(each).__name__}, from\n{''.join(traceback.format_tb(each.__traceback__)).rstrip()}"
        for each in _chain(error)
    )


def origin(error: BaseException) -> str:
    """Give the innermost frame that tells where an error came from, with a comma before it; nothing if it has none."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if _PASSED_BY_ALL.isdisjoint(PurePath(frame.filename).parts)] or frames
    return f", in {ours[-1].name} ({PurePath(ours[-1].filename).name}:{ours[-1].lineno})" if ours else ""


def _origin(error: BaseException) -> BaseException:
    """Give the driver's own error where SQLAlchemy wraps it twice."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        return error.orig.__cause__ or error.orig
    return error


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__
