"""What a database error means for the batch that met it: one function, one table.

The drivers do not agree on classes: serialization failures and timeouts arrive as plain `DBAPIError`, a killed
connection as 08003, a migration under load without any sqlstate. So `connection_invalidated` is asked first, then the
few classes that tell by themselves, then the sqlstate.
"""

import errno
from enum import StrEnum
from typing import Final

from asyncpg import exceptions as asyncpg_errors
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError


class Failure(StrEnum):
    """The rows of the failure table that a database error can fall into."""

    TRANSIENT = "transient"
    """Nothing is wrong with the records: try the same again, for as long as it takes."""
    CLASH = "clash"
    """A rival was faster: reload, and the rule will answer."""
    HALF_DEPLOYED = "half-deployed"
    """Table, column or partition is missing: code and schema do not fit; no record's fault."""
    UNEXPECTED = "unexpected"
    """Something about the records: find out which."""


class UnreachableError(ConnectionError):
    """No connection could be had, whatever the server said to that: no record can be at fault."""


QUERY_CANCELED: Final = "57014"
"""By `statement_timeout`, or by somebody."""
OUT_OF_MEMORY: Final = "53200"

_TRANSIENT_STATES: Final = frozenset(
    {
        "25006",  # read_only_sql_transaction: a standby, after a failover
        "40001",  # serialization_failure
        "40003",  # statement_completion_unknown
        "40P01",  # deadlock_detected
        "55P03",  # lock_not_available (lock_timeout)
        QUERY_CANCELED,
        "25P03",  # idle_in_transaction_session_timeout
        "25P04",  # transaction_timeout
    }
)
_TRANSIENT_CLASSES: Final = frozenset(
    {
        "08",  # connection exceptions
        "53",  # insufficient resources: memory, disk, connections
        "57",  # operator intervention: shutdown, crash, cannot connect now
        "58",  # system errors
    }
)
_CLASHES: Final = frozenset({"23505", "23503"})  # unique, foreign key


def sqlstate(error: BaseException) -> str | None:
    """Give the five characters that PostgreSQL or the driver attached to an error, if any."""
    origin = error.orig if isinstance(error, DBAPIError) else error
    state = getattr(origin, "sqlstate", None)
    return state if isinstance(state, str) else None


def classify(error: BaseException) -> Failure:
    """Say which row of the failure table an error belongs to (PostgreSQL appendix A has the states).

    Args:
        error: what came out of a session, or of the driver while connecting.

    Returns:
        The row; `UNEXPECTED` for whatever is not known.
    """
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return Failure.TRANSIENT
    if isinstance(error, PoolTimeoutError | DisconnectionError) or _is_transient_by_class(error):
        return Failure.TRANSIENT
    state = sqlstate(error)
    return Failure.UNEXPECTED if state is None else _classify_state(state, error)


def may_be_of_records(error: BaseException) -> bool:
    """Tell whether a transient error may be what the records themselves do to the server, each time.

    A statement that takes too long, one for which there is not enough memory, and a backend that crashes, which shows
    as a connection that is lost without a word.
    """
    return is_lost_connection(error) or sqlstate(error) in {QUERY_CANCELED, OUT_OF_MEMORY}


def is_lost_connection(error: BaseException) -> bool:
    """Tell whether a connection was lost without a word, as in a crash and by a network that cuts it.

    Not so when there was none, or when the server said that it ends it.
    """
    state = sqlstate(error)
    return (state is None or state[:2] == "08") and isinstance(error, DBAPIError) and error.connection_invalidated


def _classify_state(state: str, error: BaseException) -> Failure:
    if state in _CLASHES:
        return Failure.CLASH
    if state in _TRANSIENT_STATES or state[:2] in _TRANSIENT_CLASSES:
        return Failure.TRANSIENT
    if state[:2] == "42" or state in {"3D000", "3F000"} or (state == "23514" and _constraint(error) is None):
        return Failure.HALF_DEPLOYED
    return Failure.UNEXPECTED


def _constraint(error: BaseException) -> str | None:
    """Give the violated constraint's name; a row that no partition takes violates none, though its state says so."""
    origin = error.orig if isinstance(error, DBAPIError) else error
    name = getattr(getattr(origin, "__cause__", None) or origin, "constraint_name", None)
    return name if isinstance(name, str) else None


def _is_transient_by_class(error: BaseException) -> bool:
    """Stale statement caches after a migration; refused, reset and timed-out connections; asyncpg's own closing."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, asyncpg_errors.InvalidCachedStatementError | asyncpg_errors.OutdatedSchemaCacheError):
            return True
        if isinstance(cause, ConnectionError | TimeoutError):
            return True
        # None of several servers takes writes, in the middle of a failover.
        if isinstance(cause, asyncpg_errors.TargetServerAttributeNotMatched):
            return True
        if isinstance(cause, OSError) and cause.errno in {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENOENT}:
            return True
        if isinstance(cause, asyncpg_errors.InterfaceError) and "clos" in str(cause):
            return True
        # The server's last words came while a statement began: the driver has no better error for that.
        if isinstance(cause, asyncpg_errors.InternalClientError) and "cannot switch to state" in str(cause):
            return True
        cause = cause.__cause__ or (cause.orig if isinstance(cause, DBAPIError) else None)
    return False
