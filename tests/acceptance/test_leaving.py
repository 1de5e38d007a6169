"""A client that would never end its goodbye or a commit, as in an outage: both have an end here."""

import asyncio

from aiokafka import AIOKafkaConsumer

from consumers import checkpoints, kafka_client
from consumers.group_offsets import GroupOffsets
from consumers.membership import Membership
from consumers.records import Partition
from db.database import Database
from tests.applying import GROUP
from tests.making import TOPIC, new_id


async def test_group_whose_coordinator_says_nothing_is_left_in_time_and_nothing_stays(bootstrap_servers: str) -> None:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers, **Membership().arguments(f"leaving-{new_id()}"))
    await kafka_client.start(consumer)
    tasks = [consumer._coordinator._coordination_task, consumer._fetcher._fetch_task]
    never: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    # In the place of the client's own, which asks the coordinator and has no limit.
    consumer._coordinator.close = lambda: never

    async with asyncio.timeout(10):
        await kafka_client.leave(consumer, seconds=0.1)

    assert [task.done() for task in tasks] == [True, True]
    assert consumer._client._conns == {}


async def test_commit_that_is_never_answered_is_given_up(database: Database) -> None:
    asked = asyncio.Event()

    class Silent:
        """Stands for the client."""

        async def commit(self, _offsets: object) -> None:
            asked.set()
            await asyncio.Event().wait()

    partition = Partition(TOPIC, 0)
    async with database.transaction() as session:
        await checkpoints.create(session, GROUP, {partition: 5})
    offsets = GroupOffsets(
        consumer=Silent(),
        database=database,
        group=GROUP,
        positions={partition: 5},
        interval_seconds=1,
        deadline_seconds=0.2,
    )

    async with asyncio.timeout(10):
        await offsets.commit_once()

    assert asked.is_set()
