"""Every cause by which a client counts as standing still, and everything that is none."""

import asyncio
from typing import Any, cast

import pytest
from aiokafka.errors import KafkaConnectionError

from consumers.adoption import Adoption
from consumers.assignment import Assignment
from consumers.polling import Polling
from consumers.silence import Silence
from consumers.watchdog import Stall, Watchdog
from db.controls import Pauses
from tests.unit.consumers.clients import BEGIN, HERE, Clock, FakeClient, alive

NEVER_ENDS = float("inf")
HOUR_SECONDS = 3600


class Watched:
    """What a watchdog looks at, with one partition that is ours and read."""

    def __init__(self) -> None:
        self.clock, self.client = Clock(), FakeClient()
        self.assignment = Assignment(lanes=1, max_records=10, max_bytes=1000)
        self.polling = Polling(
            consumer=self.client,
            assignment=self.assignment,
            max_records=10,
            poll_seconds=0,
            accept_producer_time=False,
        )
        self.polling.silence = Silence(gap_seconds=1, clock=self.clock)
        self.adoption = Adoption(
            consumer=self.client,
            database=cast("Any", None),
            last_records=cast("Any", None),
            assignment=self.assignment,
            group="group",
            topic=HERE.topic,
            first_start="earliest",
        )
        self.readers: list[Any] = [alive(), alive()]
        self.watchdog = Watchdog(
            consumer=self.client,
            assignment=self.assignment,
            polling=self.polling,
            adoption=self.adoption,
            clock=self.clock,
        )
        self.assignment.assign([HERE])
        self.assignment.adopt(HERE, BEGIN)

    def look(self) -> Stall:
        """Look; the seconds are whole ones."""
        stall = self.watchdog.look_once(self.readers) or Stall("nothing", 0)
        return Stall(stall.why, stall.seconds if stall.seconds == NEVER_ENDS else int(stall.seconds))

    async def poll(self, seconds: float) -> None:
        """Read for the lane, at every third of a second of a while."""
        for _ in range(round(3 * seconds)):
            self.clock.ahead += 1 / 3
            await self.polling.poll_once(0)


async def test_group_that_deals_no_partitions_is_a_cause_until_it_does() -> None:
    watched = Watched()
    watched.assignment.revoke()
    assert watched.look() == Stall("the group has dealt no partitions", 0)
    watched.clock.ahead += 70
    assert watched.look() == Stall("the group has dealt no partitions", 70)
    watched.assignment.assign([])
    assert watched.look() == Stall("nothing", 0), "it counts us in, though nothing is ours"
    watched.assignment.revoke()
    assert watched.look().seconds == 0, "another time is counted anew"


async def test_polls_that_fail_are_a_cause_from_the_first_one_until_one_succeeds() -> None:
    watched = Watched()
    watched.client.fails = True
    for _ in range(2):
        await watched.polling.poll_once(0)
        watched.assignment.adopt(HERE, BEGIN)
        watched.clock.ahead += 35
    assert watched.look() == Stall(
        "asking for records fails (KafkaConnectionError: KafkaConnectionError: no broker)", 70
    )
    watched.client.fails = False
    await watched.polling.poll_once(0)
    assert watched.look().seconds == 0


async def test_offsets_that_are_not_told_are_a_cause_until_they_are_told_or_not_needed() -> None:
    watched = Watched()
    watched.client.fails = True
    watched.assignment.forget([HERE])
    for _ in range(2):
        with pytest.raises(KafkaConnectionError):
            await watched.adoption.adopt_once()
        watched.clock.ahead += 35
    stall = watched.look()
    assert (stall.why[:23], stall.seconds) == ("asking for offsets fail", 70)
    watched.assignment.pause(Pauses({str(HERE): "to try"}))
    await watched.adoption.adopt_once()
    assert watched.look().seconds == 0


async def test_lane_that_gets_no_answer_is_a_cause() -> None:
    watched = Watched()
    watched.client.hangs = True
    polling = asyncio.create_task(watched.polling.poll_once(0))
    await asyncio.sleep(0)
    watched.clock.ahead += 70
    assert watched.look() == Stall("lane 0 gets no answer from the client", 70)
    polling.cancel()
    await asyncio.wait([polling])
    assert watched.look().seconds == 0


async def test_reader_that_is_over_is_a_cause_at_once() -> None:
    watched = Watched()
    watched.readers[1].cancel()
    assert watched.look() == Stall("a reader was cancelled", NEVER_ENDS)


@pytest.mark.parametrize("name", ["fetcher", "coordinator"])
async def test_task_of_the_client_that_has_ended_is_a_cause_at_once(name: str) -> None:
    watched = Watched()
    client = watched.client
    {"fetcher": client._fetcher._fetch_task, "coordinator": client._coordinator._coordination_task}[name].cancel()
    assert watched.look() == Stall(f"the client's {name} has ended", NEVER_ENDS)


async def test_heartbeat_that_has_ended_is_a_cause_only_if_none_takes_its_place() -> None:
    watched = Watched()
    coordinator = watched.client._coordinator
    for _ in range(3):
        coordinator._heartbeat_task.cancel()
        assert watched.look().seconds == 0, "it may be joining"
        coordinator._heartbeat_task = alive()
        assert watched.look().seconds == 0
    coordinator._heartbeat_task.cancel()
    watched.look()
    assert watched.look() == Stall("the client's heartbeat has ended", NEVER_ENDS)


async def test_partition_of_which_nothing_is_heard_is_a_cause() -> None:
    watched = Watched()
    await watched.polling.poll_once(0)
    await watched.poll(seconds=71)
    stall = watched.look()
    assert (stall.why, stall.seconds >= 70) == (f"nothing is heard of {HERE}", True)


async def test_idle_paused_and_stopped_partitions_are_none_however_long() -> None:
    """Each after a minute of silence, which is not counted on."""
    watched = Watched()
    await watched.poll(seconds=60)
    for _ in range(HOUR_SECONDS):
        watched.client.answers += 1
        await watched.poll(seconds=1 / 3)
        assert watched.look().seconds == 0, "the broker says that there is nothing"
    await watched.poll(seconds=60)
    watched.assignment.pause(Pauses({str(HERE): "to try"}))
    await watched.poll(seconds=2)
    await assert_rests(watched)
    watched.assignment.pause(Pauses())
    watched.assignment.adopt(HERE, BEGIN)
    await watched.poll(seconds=60)
    watched.assignment.stop(HERE, "it has a gap", 0)
    await watched.poll(seconds=2)
    await assert_rests(watched)


async def assert_rests(watched: Watched) -> None:
    for _ in range(60):
        watched.clock.ahead += HOUR_SECONDS / 60
        await watched.polling.poll_once(0)
        assert watched.look() == Stall("nothing", 0)
