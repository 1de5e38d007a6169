"""The same, where the run needs a real Kafka."""

from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from db.database import Database
from tests.conftest import TopicFactory
from tests.planted.catalogue import BUGS
from tests.planted.judging import assert_caught, assert_passes
from tests.planted.kafka import KafkaTrial
from tests.planted.planting import PlantedBug

HERE = [bug for bug in BUGS if bug.needs == "Kafka"]
OpenTrial = Callable[[PlantedBug], KafkaTrial]

pytestmark = pytest.mark.real_kafka("settings of topics")


@pytest_asyncio.fixture
async def open_trial(
    database: Database, bootstrap_servers: str, topic_factory: TopicFactory, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[OpenTrial]:
    opened: list[KafkaTrial] = []

    def open_trial(bug: PlantedBug) -> KafkaTrial:
        servers = {"bootstrap_servers": bootstrap_servers, "make_topic": topic_factory}
        opened.append(KafkaTrial(database, monkeypatch, seed=bug.seed, **servers))  # type: ignore[arg-type] # by name
        return opened[-1]

    yield open_trial
    for trial in opened:
        await trial.close()


@pytest.mark.parametrize("bug", HERE, ids=lambda bug: bug.name)
async def test_planted_bug_is_caught(bug: PlantedBug, open_trial: OpenTrial) -> None:
    await assert_caught(open_trial(bug), bug)


@pytest.mark.parametrize("bug", HERE, ids=lambda bug: bug.name)
async def test_same_run_without_the_bug_passes(bug: PlantedBug, open_trial: OpenTrial) -> None:
    await assert_passes(open_trial(bug), bug)
