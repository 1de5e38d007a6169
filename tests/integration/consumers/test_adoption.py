"""Partitions are read from their checkpoints on, each as soon as a broker says where it begins and ends."""

import pytest
from aiokafka.errors import KafkaTimeoutError

from consumers.adoption import Adoption
from consumers.assignment import Assignment
from consumers.comparison import LastRecords
from consumers.records import Partition
from tests.making import TOPIC
from tests.unit.consumers.clients import FakeClient

HERE, THERE = Partition(TOPIC, 0), Partition(TOPIC, 1)


class Brokers(FakeClient):
    """Of some partitions, nobody says anything."""

    def __init__(self) -> None:
        super().__init__()
        self.silent: set[int] = set()

    async def beginning_offsets(self, handles):
        if self.silent & {each.partition for each in handles}:
            raise KafkaTimeoutError
        return await super().beginning_offsets(handles)

    def seek(self, *_: object) -> None: ...

    def partitions_for_topic(self, _: object) -> set[int]:
        return {0, 1}


def adopting(database, brokers: Brokers) -> tuple[Assignment, Adoption]:
    assignment = Assignment(lanes=1, max_records=10, max_bytes=1000)
    adoption = Adoption(
        consumer=brokers,
        database=database,
        last_records=LastRecords(client={}),
        assignment=assignment,
        group="a-group",
        topic=TOPIC,
        first_start="earliest",
    )
    assignment.assign([HERE, THERE])
    return assignment, adoption


async def test_partition_whose_broker_says_nothing_keeps_no_other_from_being_read(database, caplog):
    brokers = Brokers()
    await adopting(database, brokers)[1].adopt_once()
    assignment, adoption = adopting(database, brokers)
    brokers.silent = {1}

    for _ in range(2):
        with pytest.raises(KafkaTimeoutError):
            await adoption.adopt_once()

    assert assignment.positions == {HERE: 0}
    assert adoption.failing is None, "there is something to read: the client is not given up"
    assert caplog.text.count(f"no broker says where {THERE} begin and end") == 1

    brokers.silent = set()
    await adoption.adopt_once()
    assert assignment.positions == {HERE: 0, THERE: 0}


async def test_group_that_begins_waits_until_it_knows_where_each_partition_does(database):
    """Else what is read later would look as if it had been added later."""
    brokers = Brokers()
    brokers.silent = {1}
    assignment, adoption = adopting(database, brokers)

    with pytest.raises(KafkaTimeoutError):
        await adoption.adopt_once()

    assert not assignment.positions
    brokers.silent = set()
    await adoption.adopt_once()
    assert assignment.positions == {HERE: 0, THERE: 0}


async def test_client_that_is_told_of_no_partition_where_it_begins_is_given_up_in_the_end(database):
    brokers = Brokers()
    await adopting(database, brokers)[1].adopt_once()
    _, adoption = adopting(database, brokers)
    brokers.silent = {0, 1}

    with pytest.raises(KafkaTimeoutError):
        await adoption.adopt_once()

    assert adoption.failing is not None
