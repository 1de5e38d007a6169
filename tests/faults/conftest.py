"""Scenarios for the tests of faults."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial

import pytest
import pytest_asyncio

from app.settings import Settings
from stack import Stack
from tests.faults.actors import Nursery, open_nursery
from tests.faults.scenario import Scenario, open_scenario

Scenarios = Callable[..., AbstractAsyncContextManager[Scenario]]

MOCK_SESSION_SECONDS = 4.0
"""librdkafka's mock gathers a new group's members for three seconds, forgets those whose session is over meanwhile, and
never answers whom it forgot."""


@pytest_asyncio.fixture(scope="session")
async def nursery() -> AsyncIterator[Nursery]:
    """Starts processes in milliseconds."""
    async with open_nursery() as opened:
        yield opened


@pytest.fixture
def scenario(request: pytest.FixtureRequest, settings: Settings, nursery: Nursery, stack: Stack) -> Scenarios:
    """Opens a scenario on a database and topics of its own: `async with scenario(seed=1) as run`."""
    session = MOCK_SESSION_SECONDS if stack.kind == "embedded" else None
    return partial(open_scenario, settings, nursery, name=request.node.name, session_seconds=session)


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
