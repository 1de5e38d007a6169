"""A process that is started before `squad migrate` of its release."""

import asyncio

from app import wiring
from tests import making
from tests.acceptance.conftest import eventually, running, send
from tests.acceptance.test_outage import answered


async def test_process_waits_for_the_migration_and_then_does_its_work(service, empty_database_url):
    settings = service.model_copy(update={"database_url": empty_database_url, "controls_interval_seconds": 0.1})
    with running(settings, "run") as process:

        async def waits() -> bool:
            return "nothing is begun before the controls can be read, trying for 60 s: Undefined" in process.printed

        async def is_answered() -> bool:
            return await answered(settings) == 1

        await eventually("it waits", waits)
        # The outbox's partitions are not made here: what waits for them is the deploy too.
        await asyncio.to_thread(wiring.migrate, settings)
        await send(settings, [making.register_user()])
        await eventually("a command is answered", is_answered)
        code, printed = await asyncio.to_thread(process.stop)

    assert code == 0, printed


async def test_process_ends_clearly_where_no_migration_comes(service, empty_database_url):
    settings = service.model_copy(update={"database_url": empty_database_url, "deploy_wait_seconds": 0.1})
    with running(settings, "relay", "run") as process:
        code, printed = await asyncio.to_thread(process.finish)

    assert code == 1
    assert "schema or rights do not fit this release (`squad migrate`?): UndefinedTableError" in printed
    assert "Traceback" not in printed
