"""The classification of errors, row by row; integration tests show that the drivers really say so."""

import errno

import pytest
from asyncpg import exceptions as asyncpg_errors
from sqlalchemy.exc import DBAPIError, IntegrityError, NotSupportedError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from db.errors import Failure, UnreachableError, classify, sqlstate


class DriverError(Exception):
    """As the driver's errors: with a state."""

    def __init__(self, state: str | None, message: str = "") -> None:
        super().__init__(message)
        self.sqlstate = state
        self.constraint_name: str | None = None


def dbapi(state: str | None, message: str = "", *, invalidated: bool = False) -> DBAPIError:
    return DBAPIError("SELECT", {}, DriverError(state, message), connection_invalidated=invalidated)


@pytest.mark.parametrize(
    ("state", "failure"),
    [
        ("08003", Failure.TRANSIENT),
        ("08006", Failure.TRANSIENT),
        ("25006", Failure.TRANSIENT),
        ("40001", Failure.TRANSIENT),
        ("40P01", Failure.TRANSIENT),
        ("55P03", Failure.TRANSIENT),
        ("57014", Failure.TRANSIENT),
        ("57P01", Failure.TRANSIENT),
        ("57P02", Failure.TRANSIENT),
        ("57P03", Failure.TRANSIENT),
        ("53100", Failure.TRANSIENT),
        ("53200", Failure.TRANSIENT),
        ("53300", Failure.TRANSIENT),
        ("25P03", Failure.TRANSIENT),
        ("58030", Failure.TRANSIENT),
        ("23505", Failure.CLASH),
        ("23503", Failure.CLASH),
        ("42P01", Failure.HALF_DEPLOYED),
        ("42703", Failure.HALF_DEPLOYED),
        ("42501", Failure.HALF_DEPLOYED),
        ("3D000", Failure.HALF_DEPLOYED),
        ("22001", Failure.UNEXPECTED),
        ("22P05", Failure.UNEXPECTED),
        ("23502", Failure.UNEXPECTED),
        ("XX000", Failure.UNEXPECTED),
        ("P0001", Failure.UNEXPECTED),
    ],
)
def test_state_belongs_to_a_row_of_the_table(state, failure):
    assert classify(dbapi(state)) is failure
    assert classify(IntegrityError("INSERT", {}, DriverError(state))) is failure


def test_missing_partition_is_a_half_done_deploy_but_a_failed_check_is_not():
    assert classify(dbapi("23514")) is Failure.HALF_DEPLOYED
    violated = DriverError("23514")
    violated.constraint_name = "ck_feedback_rating_from_one_to_five"
    assert classify(DBAPIError("INSERT", {}, violated)) is Failure.UNEXPECTED


def test_invalidated_connection_counts_first():
    assert classify(dbapi("23505", invalidated=True)) is Failure.TRANSIENT
    assert classify(dbapi(None, invalidated=True)) is Failure.TRANSIENT


@pytest.mark.parametrize(
    "error",
    [
        PoolTimeoutError("QueuePool limit"),
        ConnectionRefusedError(),
        ConnectionResetError(),
        TimeoutError(),
        OSError(errno.ENETUNREACH, "no way"),
        OSError(errno.ENOENT, "no socket"),
        asyncpg_errors.InvalidCachedStatementError("cached statement plan is invalid"),
        asyncpg_errors.OutdatedSchemaCacheError("outdated"),
        asyncpg_errors.InterfaceError("connection is closed"),
        asyncpg_errors.InternalClientError("cannot switch to state 15; another operation (2) is in progress"),
        NotSupportedError("SELECT", {}, asyncpg_errors.InvalidCachedStatementError("stale")),
        OperationalError("SELECT", {}, ConnectionResetError()),
        UnreachableError("database is not accepting connections"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_without_a_state_that_are_nobodys_fault(error):
    assert classify(error) is Failure.TRANSIENT


@pytest.mark.parametrize(
    "error",
    [ZeroDivisionError(), LookupError("x"), OSError(errno.EIO, "disk"), asyncpg_errors.InterfaceError("cannot use")],
)
def test_whatever_is_not_known_is_unexpected(error):
    assert classify(error) is Failure.UNEXPECTED


def test_sqlstate_is_found_where_it_is():
    assert sqlstate(dbapi("40001")) == "40001"
    assert sqlstate(DriverError("40001")) == "40001"
    assert sqlstate(ValueError()) is None
