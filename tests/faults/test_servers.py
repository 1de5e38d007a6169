"""PostgreSQL and Kafka ended without warning under load: nothing is lost, doubled or out of order."""

from functools import partial

import pytest

from app.settings import Settings
from stack.local_stack import LocalStack
from tests.conftest import BROKER
from tests.faults.actors import Nursery
from tests.faults.scenario import Scenario, open_scenario
from tests.faults.servers import hurt, own_ground, start_own, why_none

pytestmark = pytest.mark.skipif(bool(why_none()), reason=why_none())


async def _stop_postgres_at_once(run: Scenario, servers: LocalStack) -> None:
    stop, start = partial(servers.postgres.stop, "immediate"), servers.postgres.start
    await hurt(run, servers, "postgres", "PostgreSQL stopped at once", stop, start)


async def _kill_postgres(run: Scenario, servers: LocalStack) -> None:
    await hurt(run, servers, "postgres", "postmaster killed", servers.kill_postgres, servers.postgres.start)


async def _kill_kafka(run: Scenario, servers: LocalStack) -> None:
    await hurt(run, servers, "kafka", "Kafka killed", servers.kill_kafka, servers.kafka.start)


async def _hurt_servers(settings: Settings, nursery: Nursery, *, name: str, seed: int, times: int) -> None:
    async with (
        start_own(kafka_properties=BROKER) as servers,
        own_ground(servers, settings) as own,
        open_scenario(own, nursery, name=name, seed=seed) as run,
    ):
        for role in ("consumer", "relay"):
            await run.start(role)
        await run.register_users()
        async with run.load():
            for injector in times * [_stop_postgres_at_once, _kill_kafka, _kill_postgres]:
                await run.pause(0.5, 1.5)
                await injector(run, servers)
        await run.conclude(drain_seconds=60)


@pytest.fixture
def bare_settings() -> Settings:
    """What the processes use beside the servers' addresses."""
    return Settings(
        database_url="postgresql://nowhere",
        kafka_bootstrap_servers="nowhere:1",
        topic_partitions=3,
        idle_in_transaction_timeout_seconds=3,
        statement_timeout_seconds=10,
    )


async def test_each_server_ended_once_loses_and_doubles_nothing(bare_settings: Settings, nursery: Nursery) -> None:
    await _hurt_servers(bare_settings, nursery, name="servers ended once", seed=31, times=1)


@pytest.mark.parametrize("seed", [32, 33])
@pytest.mark.long_faults
@pytest.mark.timeout(600)
async def test_each_server_ended_seven_times(bare_settings: Settings, nursery: Nursery, seed: int) -> None:
    await _hurt_servers(bare_settings, nursery, name="servers ended seven times", seed=seed, times=7)
