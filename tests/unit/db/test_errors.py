"""The classification of errors, row by row; integration tests show that the drivers really say so."""

import errno

import pytest
from asyncpg import exceptions as asyncpg_errors
from sqlalchemy import exc
from sqlalchemy.exc import DBAPIError, DisconnectionError, IntegrityError, NotSupportedError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from db.commits import UnknownCommitError
from db.errors import Failure, UnreachableError, classify, may_be_of_records, sqlstate


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
        asyncpg_errors.TargetServerAttributeNotMatched("None of the hosts match"),
        UnknownCommitError("canceling wait for synchronous replication due to user request"),
        DisconnectionError("the pool found it dead"),
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


# PostgreSQL, appendix A: each class of states that the driver has errors of, and the states that differ from it.
BY_CLASS = {
    **dict.fromkeys(("08", "53", "57", "58"), Failure.TRANSIENT),
    "42": Failure.HALF_DEPLOYED,
    **dict.fromkeys(
        ("02", "03", "09", "0A", "0B", "0F", "0L", "0P", "0Z", "10", "20", "21", "22", "23", "24"), Failure.UNEXPECTED
    ),
    **dict.fromkeys(("25", "26", "27", "28", "2B", "2D", "2F", "34", "38", "39", "3B", "3D", "3F"), Failure.UNEXPECTED),
    **dict.fromkeys(("40", "44", "54", "55", "72", "F0", "HV", "P0", "XX"), Failure.UNEXPECTED),
}
BY_STATE = {
    **dict.fromkeys(("25006", "25P03", "25P04", "40001", "40003", "40P01", "55P03"), Failure.TRANSIENT),
    **dict.fromkeys(("23505", "23503"), Failure.CLASH),
    **dict.fromkeys(("3D000", "3F000"), Failure.HALF_DEPLOYED),
    # Without a constraint's name, which a row has that no partition takes.
    "23514": Failure.HALF_DEPLOYED,
}
STATES = {
    str(vars(each)["sqlstate"])
    for each in vars(asyncpg_errors).values()
    if isinstance(each, type) and issubclass(each, asyncpg_errors.PostgresError) and vars(each).get("sqlstate")
}


def test_each_state_that_the_driver_knows_has_a_decision():
    assert len(STATES) > 200
    assert {state[:2] for state in STATES} <= BY_CLASS.keys()
    expected = {state: BY_STATE.get(state, BY_CLASS[state[:2]]) for state in STATES | BY_STATE.keys()}
    assert {state: classify(dbapi(state)) for state in expected} == expected


def test_each_class_of_sqlalchemy_without_a_state_is_unexpected_but_for_those_of_the_pool():
    classes = {name: each for name, each in vars(exc).items() if isinstance(each, type) and issubclass(each, Exception)}
    found = {name for name, each in classes.items() if classify(each.__new__(each)) is not Failure.UNEXPECTED}
    assert found == {"TimeoutError", "DisconnectionError", "InvalidatePoolError"}


def test_what_records_may_do_to_the_server_is_told_from_what_happens_to_it():
    theirs = [dbapi("57014"), dbapi("53200"), dbapi("08003", invalidated=True), dbapi(None, invalidated=True)]
    others = [dbapi("57P01", invalidated=True), dbapi("40001"), dbapi("53300"), UnreachableError(), TimeoutError()]

    assert all(map(may_be_of_records, theirs))
    assert not any(map(may_be_of_records, others))
