"""Alembic's way in: one connection, an advisory lock, a lock timeout, a transaction for each migration."""

import asyncio
import time

from alembic import context
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import SchemaItem

from db.models import Base
from db.models.base import COLLATED

LOCK = 7_215_901_411
"""Any number, the same for every migration run: the second run waits, then finds nothing to do."""

LOOK_AGAIN_SECONDS = 0.1
"""How often a run that waits for another asks whether it is over."""


def is_ours(item: SchemaItem, name: str | None, type_: str, reflected: bool, compare_to: SchemaItem | None) -> bool:  # noqa: FBT001 - Alembic's signature
    """Leave the outbox's daily partitions out of comparisons; maintenance makes and drops them.

    Of an index that says so, only whether it is there is compared: what is read back of an expression has no collation.
    """
    if type_ == "index" and compare_to is not None and item.info.get(COLLATED):
        return False
    return not (type_ == "table" and reflected and compare_to is None and (name or "").startswith("outbox_d"))


def run(connection: Connection) -> None:
    """Migrate over one connection."""
    # Asked for again and again: whoever waits in a statement holds a snapshot, and a concurrent index build would wait
    # for that, in a circle.
    while not connection.scalar(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": LOCK}):
        connection.rollback()
        time.sleep(LOOK_AGAIN_SECONDS)
    connection.execute(
        text("SELECT set_config('lock_timeout', :timeout, false)"),
        {"timeout": context.config.attributes["lock_timeout_milliseconds"]},
    )
    connection.commit()
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        include_object=is_ours,
        compare_server_default=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()
    connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": LOCK})
    connection.commit()


async def connect_and_run() -> None:
    """Open the one connection that the run needs, and close it."""
    attributes = context.config.attributes
    engine = create_async_engine(
        attributes["url"], poolclass=NullPool, connect_args=attributes.get("connect_arguments", {})
    )
    try:
        async with engine.connect() as connection:
            await connection.run_sync(run)
    finally:
        await engine.dispose()


asyncio.run(connect_and_run())
