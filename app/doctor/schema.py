"""What is in the database: the schema's revision, the role's rights, the outbox's partitions and its sequence."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.doctor.finding import Finding, failed, passed, warned
from app.settings import Settings
from migrations import run as migrations
from outbox.days import POSITIONS_PER_DAY, first_position, partition_name

_REVISION: Final = text("SELECT version_num FROM alembic_version")
_HAS_REVISION: Final = text("SELECT to_regclass('alembic_version') IS NOT NULL")

RIGHTS: Final[Mapping[str, Sequence[str]]] = {
    **dict.fromkeys(
        (
            "users",
            "squads",
            "squad_members",
            "projects",
            "tasks",
            "feedback",
            "usage_metrics",
            "checkpoints",
            "dead_letters",
            "parked_streams",
            "outbox",
        ),
        ("SELECT", "INSERT", "UPDATE"),
    ),
    **dict.fromkeys(("inbox", "processes"), ("SELECT", "INSERT", "UPDATE", "DELETE")),
    "parked": ("SELECT", "INSERT"),
    "inbox_floor": ("SELECT", "UPDATE"),
    "controls": ("SELECT",),
}
"""What a consumer needs, by table; docs/operations.md grants just these, and a test says so."""

_LACKING: Final = text(
    """
    SELECT string_agg(privilege, ', ') || ' on ' || name
    FROM unnest(CAST(:names AS text[]), CAST(:privileges AS text[])) AS needed(name, privilege)
    WHERE NOT CASE WHEN to_regclass(name) IS NULL THEN false ELSE has_table_privilege(name, privilege) END
    GROUP BY name
    UNION ALL
    SELECT 'USAGE on sequence outbox_position' WHERE NOT has_sequence_privilege('outbox_position', 'USAGE')
    UNION ALL
    SELECT 'USAGE on type ' || typname FROM pg_type
    WHERE typname ~ '_row_[0-9]+$' AND typtype = 'c' AND NOT has_type_privilege(oid, 'USAGE')
    """
)

_OWNS: Final = text(
    """
    SELECT pg_has_role(c.relowner, 'USAGE') AND has_schema_privilege(c.relnamespace, 'CREATE')
    FROM pg_class c WHERE c.oid = to_regclass('outbox')
    """
)

_ATTACHED: Final = text(
    "SELECT CAST(inhrelid AS regclass)::text FROM pg_inherits WHERE inhparent = to_regclass('outbox')"
)

_LAST: Final = text("SELECT last_value, (SELECT (now() AT TIME ZONE 'UTC')::date) AS today FROM outbox_position")

_MIGRATE: Final = "run `squad migrate` of this release, as the owner"


async def check_schema(connection: AsyncConnection, settings: Settings) -> AsyncIterator[Finding]:
    """Look at the schema; without one, nothing else can be asked.

    Args:
        connection: to the database.
        settings: of the service.
    """
    head = migrations.head()
    found = await connection.scalar(_REVISION) if await connection.scalar(_HAS_REVISION) else None
    if found is None:
        yield failed("migrations", "there is no schema", _MIGRATE)
        return
    if found == head:
        yield passed("migrations", f"at {head}")
    else:
        # The previous release runs on the new schema, so behind is what stops us and ahead is only worth knowing.
        known = migrations.knows(found)
        judge, advice = (failed, _MIGRATE) if known else (warned, "a newer release migrated it: deploy that")
        yield judge("migrations", f"at {found}, this release's head is {head}", advice)
    yield await _check_rights(connection)
    yield await _check_owner(connection)
    async for finding in _check_partitions(connection, settings):
        yield finding


async def _check_rights(connection: AsyncConnection) -> Finding:
    needed = [(table, privilege) for table, privileges in RIGHTS.items() for privilege in privileges]
    asked = {"names": [table for table, _ in needed], "privileges": [privilege for _, privilege in needed]}
    lacking = list(await connection.scalars(_LACKING, asked))
    if lacking:
        more = f" and {len(lacking) - 3} more" if len(lacking) > 3 else ""
        return failed("rights", f"lacks {'; '.join(lacking[:3])}{more}", "GRANT as docs/operations.md says")
    return passed("rights", "may read and write what a consumer needs")


async def _check_owner(connection: AsyncConnection) -> Finding:
    if not await connection.scalar(_OWNS):
        return warned(
            "owner",
            "this role does not own the outbox, or may make no tables beside it",
            "a consumer can do without; let the relay run as the owner, for it makes the outbox's partitions",
        )
    return passed("owner", "may make the outbox's partitions")


async def _check_partitions(connection: AsyncConnection, settings: Settings) -> AsyncIterator[Finding]:
    attached = set(await connection.scalars(_ATTACHED))
    last, today = (await connection.execute(_LAST)).one()
    days = [today + timedelta(days=ahead) for ahead in range(settings.outbox_days_ahead + 1)]
    missing = [partition_name(day) for day in days if partition_name(day) not in attached]
    advice = "run `squad migrate`, and see that a relay runs: it makes them every minute"
    if partition_name(today) in missing:
        yield failed("outbox-partitions", f"missing, today's among them: {', '.join(missing)}", advice)
    elif missing:
        yield warned("outbox-partitions", f"missing: {', '.join(missing)}", advice)
    else:
        yield passed("outbox-partitions", f"ready up to {partition_name(days[-1])}")
    yield check_sequence(last, today, attached=partition_name(day_of(last)) in attached)


def check_sequence(last: int, today: date, *, attached: bool) -> Finding:
    """Judge where the outbox's sequence stands.

    Args:
        last: its last value.
        today: by the database's clock, UTC.
        attached: whether the partition that it points into is there.
    """
    day = day_of(last)
    found = f"{last}, in the range of {day}"
    if not attached:
        return failed("outbox-sequence", f"{found}, which has no partition", "run `squad migrate`: it jumps to today")
    if day < today:
        return warned("outbox-sequence", found, "run `squad migrate`, or a relay: it jumps to today's range")
    if last >= first_position(today + timedelta(days=1)):
        return warned(
            "outbox-sequence", found, "more than 10^10 rows a day, or a clock that stood ahead: partitions fit no day"
        )
    return passed("outbox-sequence", found)


def day_of(position: int) -> date:
    """Give the day in whose range a position is."""
    return (datetime(1970, 1, 1) + timedelta(days=position // POSITIONS_PER_DAY)).date()  # noqa: DTZ001 - a day
