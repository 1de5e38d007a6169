"""PostgreSQL and Kafka ended without warning under load: nothing is lost, doubled or out of order."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import pytest

import stack as stacks
from app.settings import Settings
from stack.local_stack import LocalStack
from stack.starting import ExternalStack
from tests.conftest import BROKER
from tests.faults.actors import Nursery
from tests.faults.scenario import Scenario, open_scenario
from tests.faults.servers import hurt, own_ground, start_own, why_none


async def _stop_postgres_at_once(run: Scenario, servers: LocalStack) -> None:
    stop, start = partial(servers.postgres.stop, "immediate"), servers.postgres.start
    await hurt(run, servers, "postgres", "PostgreSQL stopped at once", stop, start)


async def _kill_postgres(run: Scenario, servers: LocalStack) -> None:
    await hurt(run, servers, "postgres", "postmaster killed", servers.kill_postgres, servers.postgres.start)


async def _kill_kafka(run: Scenario, servers: LocalStack) -> None:
    await hurt(run, servers, "kafka", "Kafka killed", servers.kill_kafka, servers.kafka.start)


async def _restart_kafka(run: Scenario, servers: LocalStack) -> None:
    await hurt(run, servers, "kafka", "Kafka restarted", servers.kafka.stop, servers.kafka.start)


@pytest.mark.real_kafka("groups of several consumers")
async def test_postgresql_ended_under_load_loses_and_doubles_nothing(
    bare_settings: Settings, nursery: Nursery, stack: stacks.Stack
) -> None:
    """Kafka, which takes longer to start, is the one of all tests."""
    # Recovery is sooner over without; a killed process leaves to the kernel what it wrote.
    async with start_own("embedded", postgres_settings={"fsync": "off"}) as servers:
        mixed = ExternalStack(
            database_url=servers.database_url, bootstrap_servers=stack.bootstrap_servers, description="mixed"
        )
        async with (
            own_ground(mixed, bare_settings) as own,
            open_scenario(own, nursery, name="PostgreSQL ended", seed=31) as run,
        ):
            await _hurt_servers(run, servers, [_stop_postgres_at_once, _kill_postgres])


@pytest.mark.skipif(bool(why_none()), reason=why_none())
@pytest.mark.parametrize("seed", [32, 33])
@pytest.mark.long_faults
@pytest.mark.timeout(600)
async def test_each_server_ended_again_and_again(bare_settings: Settings, nursery: Nursery, seed: int) -> None:
    async with (
        start_own(kafka_properties=BROKER) as servers,
        own_ground(servers, bare_settings) as own,
        open_scenario(own, nursery, name="every server ended", seed=seed) as run,
    ):
        await _hurt_servers(run, servers, 3 * [_stop_postgres_at_once, _kill_kafka, _kill_postgres, _restart_kafka])


async def _hurt_servers(
    run: Scenario, servers: LocalStack, injectors: Sequence[Callable[[Scenario, LocalStack], Awaitable[None]]]
) -> None:
    for role in ("consumer", "relay"):
        await run.start(role)
    await run.register_users()
    async with run.load():
        for injector in injectors:
            await run.pause(0.5, 1.5)
            await injector(run, servers)
    await run.conclude(drain_seconds=60)
