"""Scenarios for the tests of faults."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial

import pytest
import pytest_asyncio

from app.settings import Settings
from tests.faults.actors import Nursery, open_nursery
from tests.faults.scenario import Scenario, open_scenario

Scenarios = Callable[..., AbstractAsyncContextManager[Scenario]]


@pytest_asyncio.fixture(scope="session")
async def nursery() -> AsyncIterator[Nursery]:
    """Starts processes in milliseconds."""
    async with open_nursery() as opened:
        yield opened


@pytest.fixture
def scenario(request: pytest.FixtureRequest, settings: Settings, nursery: Nursery) -> Scenarios:
    """Opens a scenario on a database and topics of its own: `async with scenario(seed=1) as run`."""
    return partial(open_scenario, settings, nursery, name=request.node.name)


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
