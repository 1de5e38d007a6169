"""The addresses of PostgreSQL, where there are several: exactly one takes writes, and the others could take over."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from sqlalchemy import URL, text

from app import wiring
from app.doctor.finding import Finding, failed, passed, warned
from app.options import database_rules
from app.settings import Settings, variable
from db import addresses

NAME: Final = "postgres-hosts"

_TAKES_WRITES: Final = text(
    "SELECT NOT pg_is_in_recovery() AND current_setting('default_transaction_read_only') = 'off'"
)


async def check_hosts(settings: Settings) -> AsyncIterator[Finding]:
    """Ask each address what it leads to; says nothing where there is only one."""
    url = database_rules.address(settings)
    several = addresses.list_hosts(url)
    if not several:
        return
    async with asyncio.TaskGroup() as group:
        asked = {address: group.create_task(_ask(settings, addresses.single(url, address))) for address in several}
    yield judge({f"{host}:{port}": task.result() for (host, port), task in asked.items()})


def judge(found: dict[str, bool | str]) -> Finding:
    """Judge what the addresses lead to: whether each takes writes, or why it cannot be reached."""
    shown = "; ".join(f"{address}: {_show(what)}" for address, what in found.items())
    writable = [address for address, what in found.items() if what is True]
    if len(writable) > 1:
        return failed(NAME, shown, "two servers take writes: stop the one that was to be replaced, at once")
    if not writable:
        return failed(NAME, shown, "promote a standby, or bring the primary back")
    if any(isinstance(what, str) for what in found.values()):
        advice = f"bring it back, or take it out of {variable('database_url')}: without it nothing can take over"
        return warned(NAME, shown, advice)
    return passed(NAME, shown)


def _show(what: bool | str) -> str:  # noqa: FBT001 - what was found
    if isinstance(what, str):
        return what
    return "takes writes" if what else "a standby, or read-only"


async def _ask(settings: Settings, url: URL) -> bool | str:
    alone = settings.model_copy(update={"database_url": url.render_as_string(hide_password=False)})
    try:
        async with (
            asyncio.timeout(settings.database_connect_timeout_seconds),
            wiring.open_database(alone, pool_size=1) as database,
            database.engine.connect() as connection,
        ):
            return bool(await connection.scalar(_TAKES_WRITES))
    except Exception as error:  # noqa: BLE001 - whatever is wrong with it, the others are asked
        return f"cannot be reached ({str(error).partition(chr(10))[0] or type(error).__name__})"
