"""Kill -9 of consumers and relays at random moments under load: nothing is lost, doubled or out of order."""

import pytest

from tests.faults.conftest import Scenarios


@pytest.mark.real_kafka("groups of several consumers")
async def test_killed_consumers_and_relays_lose_and_double_nothing(scenario: Scenarios) -> None:
    async with scenario(seed=1) as run:
        consumer, relay = await run.start("consumer"), await run.start("relay")
        await run.register_users()
        async with run.load():
            for _ in range(3):
                await run.pause(0.3, 1.0)
                await run.kill(consumer)
                consumer = await run.restart(consumer)
                await run.pause(0.3, 1.0)
                await run.kill(relay)
                relay = await run.restart(relay)
        await run.conclude()
