"""The database away for hundreds of attempts: a line when each part notices and one when it goes on, none between.

And what waits stays in Kafka, but for a few batches.
"""

import asyncio
from collections import Counter

from app import topic_logs
from app.settings import Settings
from domain.commands import RegisterUser
from tests.acceptance.conftest import Process, eventually, running, send
from tests.acceptance.scraping import scrape
from tests.faults.standby import Address
from tests.making import new_id

NOWHERE = "postgresql+asyncpg://127.0.0.1:1/nothing"
ATTEMPTS = 100
"""So often a batch is tried while the database is away; with waits of a hundredth of a second, the others too."""
BATCH = 3
SENT_MEANWHILE = 120
"""Far more than is read ahead of so small batches."""


def kinds_of(lines: str) -> Counter[str]:
    """Count lines by what they say, without times and errors."""
    said = [line.split(" squad.", 1)[1] for line in lines.splitlines() if " squad." in line]
    return Counter(line.partition(" error=")[0].partition(" after")[0].partition(":")[0] for line in said)


def registrations(count: int) -> list[RegisterUser]:
    return [RegisterUser(user_id=new_id(), email=f"{new_id()}@example.org", name="Ada") for _ in range(count)]


async def test_outage_of_the_database_is_told_when_it_begins_and_when_it_ends(service: Settings) -> None:
    address = Address(service.database_url)
    async with address.listening():
        settings = service.model_copy(
            update={
                "database_url": address.url,
                "monitoring_port": 0,
                "batch_max_commands": BATCH,
                "backoff_first_seconds": 0.01,
                "backoff_most_seconds": 0.01,
                "lease_renew_seconds": 0.05,
                "lease_seconds": 0.5,
                "heartbeat_interval_seconds": 0.1,
                "controls_interval_seconds": 0.1,
                "outbox_maintenance_interval_seconds": 0.1,
                "inbox_prune_interval_seconds": 0.1,
            }
        )
        with running(settings, "run") as process:

            async def has_answered(count: int) -> bool:
                return await answered(service) >= count

            async def has_tried() -> bool:
                samples, _ = await scrape(process)
                return samples["squad_retries_total", "transient"] >= ATTEMPTS

            async def is_full() -> bool:
                return await read_ahead(process) >= 2 * BATCH * settings.lanes

            await send(service, registrations(1))
            await eventually("the first is answered", lambda: has_answered(1))
            before = len(process.printed)
            await address.lead_to(NOWHERE)
            await send(service, registrations(SENT_MEANWHILE))
            await eventually("as much is read ahead as may be", is_full)
            await eventually("a batch was tried often", has_tried)
            buffered = await read_ahead(process)
            during = process.printed[before:]
            assert process.lives
            await address.lead_to(service.database_url)
            await eventually("all are answered", lambda: has_answered(SENT_MEANWHILE + 1))
            said = kinds_of(process.printed[before:])
            code, printed = await asyncio.to_thread(process.stop)

    assert code == 0, printed
    assert buffered < 3 * BATCH * settings.lanes, "two batches of a lane, and what one poll brings beyond"
    assert len(during.splitlines()) < 30, during
    begun = {kind: count for kind, count in said.items() if "trying for as long as it takes" in kind}
    assert {"relay relay interrupted shard=0, trying for as long as it takes"} <= begun.keys(), said
    # The lanes, and nobody else, are two.
    assert max(said.values()) <= settings.lanes, said


async def read_ahead(process: Process) -> float:
    """Give how many records it has read that are in no batch yet."""
    samples, _ = await scrape(process)
    return samples["squad_records_read_ahead", ""]


async def answered(settings: Settings) -> int:
    """Give how many outcomes are on their topic."""
    return sum((await topic_logs.end_offsets(settings, settings.topic("outcomes"))).values())
