"""Publishers to a real Kafka, closed afterwards."""

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from outbox.publisher import KafkaPublisher
from tests.reading import BuildPublisher


@pytest_asyncio.fixture
async def build_publisher(bootstrap_servers: str) -> AsyncIterator[BuildPublisher]:
    built: list[KafkaPublisher] = []

    def build(**settings: Any) -> KafkaPublisher:
        client = {"bootstrap_servers": bootstrap_servers}
        built.append(KafkaPublisher(client=client, backoff_first_seconds=0.01, **settings))
        return built[-1]

    yield build
    for publisher in built:
        await publisher.close()
