"""PostgreSQL as a server: its version, whether it is the primary, whether it keeps what it was told."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.doctor.finding import Finding, failed, passed, warned
from app.settings import Settings, variable

OLDEST: Final = 15
NEWEST: Final = 18
CLOCK_SKEW: Final = timedelta(seconds=5)
"""Clocks further apart are not kept by one source, though the service bears more: `SQUAD_COMMAND_SKEW_SECONDS`."""
PROCESS_EXTRA_CONNECTIONS: Final = 8
"""Beside its pool, of a process: a relay's four and two for its shard, and the two of what keeps house."""

_FACTS: Final = text(
    """
    SELECT
        current_user AS role, current_setting('server_version') AS version,
        CAST(current_setting('server_version_num') AS integer) / 10000 AS major,
        pg_is_in_recovery() AS standby, current_setting('default_transaction_read_only') AS read_only,
        current_setting('server_encoding') AS encoding, current_setting('fsync') AS fsync,
        current_setting('full_page_writes') AS full_page_writes,
        current_setting('synchronous_commit') AS synchronous_commit,
        (SELECT setting FROM pg_settings WHERE name = 'statement_timeout') AS statement_milliseconds,
        (SELECT setting FROM pg_settings WHERE name = 'lock_timeout') AS lock_milliseconds,
        CAST(current_setting('max_connections') AS integer)
            - CAST(current_setting('superuser_reserved_connections') AS integer) AS connections,
        (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS connected,
        (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user) AS role_connections,
        clock_timestamp() AS clock
    """
)


async def check_server(connection: AsyncConnection, settings: Settings) -> AsyncIterator[Finding]:
    """Look at the server.

    Args:
        connection: to it.
        settings: of the service.
    """
    before = datetime.now(UTC)
    facts = (await connection.execute(_FACTS)).one()._mapping
    yield check_version(facts["major"], facts["version"])
    yield _check_primary(facts)
    yield _check_encoding(facts["encoding"])
    yield _check_durability(facts)
    yield _check_timeouts(facts, settings)
    yield check_connections(facts, settings)
    yield check_clock(
        "database-clock", "the database", facts["clock"], before=before, after=datetime.now(UTC), settings=settings
    )


def check_version(major: int, version: str) -> Finding:
    """Judge the release."""
    if major < OLDEST:
        return failed("postgres-version", version, f"upgrade: PostgreSQL {OLDEST} to {NEWEST} are supported")
    if major > NEWEST:
        return warned("postgres-version", version, f"not tried: PostgreSQL {OLDEST} to {NEWEST} are supported")
    return passed("postgres-version", version)


def check_clock(
    name: str, whose: str, clock: datetime, *, before: datetime, after: datetime, settings: Settings
) -> Finding:
    """Judge another's clock by ours.

    Args:
        name: of the check.
        whose: clock it is.
        clock: what it showed.
        before: our time before we asked.
        after: our time after the answer.
        settings: of the service, which says how much it bears.
    """
    off = max(before - clock, clock - after, timedelta(0))
    found = f"{whose} is {off.total_seconds():.1f} s off this machine's clock"
    advice = "let all machines take their time from the same source (NTP)"
    if off.total_seconds() > settings.command_skew_seconds:
        return failed(name, found, advice)
    if off > CLOCK_SKEW:
        return warned(name, found, advice)
    return passed(name, found)


def _check_primary(facts: Any) -> Finding:  # noqa: ANN401 - a row's mapping
    if facts["standby"]:
        return failed("postgres-primary", "a standby", f"point {variable('database_url')} at the primary")
    if facts["read_only"] == "on":
        return failed("postgres-primary", "read-only by default", "set default_transaction_read_only to off")
    return passed("postgres-primary", "takes writes")


def _check_encoding(encoding: str) -> Finding:
    if encoding != "UTF8":
        return failed("encoding", encoding, "make the database anew with ENCODING 'UTF8'")
    return passed("encoding", encoding)


def _check_durability(facts: Any) -> Finding:  # noqa: ANN401 - a row's mapping
    names = ("fsync", "full_page_writes", "synchronous_commit")
    wrong = [name for name in names if facts[name] == "off"]
    if wrong:
        return failed(
            "durability",
            f"off: {', '.join(wrong)}",
            "switch it on, for the server or for this role (ALTER ROLE): after a crash events would be lost",
        )
    return passed("durability", ", ".join(f"{name} {facts[name]}" for name in names))


def _check_timeouts(facts: Any, settings: Settings) -> Finding:  # noqa: ANN401 - a row's mapping
    asked = {"statement": settings.statement_timeout_seconds, "lock": settings.lock_timeout_seconds}
    wrong = [
        f"{name}_timeout is {int(facts[f'{name}_milliseconds']) / 1000:g} s, {seconds:g} s were asked for"
        for name, seconds in asked.items()
        if int(facts[f"{name}_milliseconds"]) != round(seconds * 1000)
    ]
    if wrong:
        return warned("timeouts", "; ".join(wrong), "something between us and the server drops our settings: a pooler?")
    return passed("timeouts", ", ".join(f"{name} {seconds:g} s" for name, seconds in asked.items()))


def check_connections(facts: Any, settings: Settings) -> Finding:  # noqa: ANN401 - a row's mapping
    """Judge whether one more process of ours would get its connections."""
    needed = settings.database_pool_size + PROCESS_EXTRA_CONNECTIONS + (settings.monitoring_port is not None)
    limit = facts["connections"]
    if facts["role_connections"] >= 0:
        limit = min(limit, facts["role_connections"])
    found = f"at most {limit} connections, {facts['connected']} taken; a process needs up to {needed}"
    advice = f"raise max_connections or the role's limit, or lower {variable('database_pool_size')}"
    if limit < needed:
        return failed("connections", found, advice)
    if facts["connected"] + needed > limit:
        return warned("connections", found, advice)
    return passed("connections", found)
