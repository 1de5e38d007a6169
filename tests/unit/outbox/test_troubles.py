"""Trouble of topics and partitions: when it lasts, whose it is, and what is said of it."""

import logging

import pytest
from aiokafka.errors import KafkaConnectionError, NotEnoughReplicasError, NotLeaderForPartitionError

from outbox.troubles import Place, Troubles

FIRST, SECOND = Place("squad.events", 0), Place("squad.events", 1)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def troubles(clock: Clock) -> Troubles:
    return Troubles(patience_seconds=10, clock=clock)


def test_trouble_lasts_after_some_patience_and_is_over_when_something_is_taken(
    troubles: Troubles, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "squad.relay")
    assert not troubles.note(FIRST, NotLeaderForPartitionError())
    for _ in range(20):
        clock.now += 1
        troubles.note(FIRST, NotEnoughReplicasError())
    assert troubles.note(FIRST, NotEnoughReplicasError())
    assert troubles.is_lasting(FIRST)
    assert not troubles.is_lasting(SECOND)
    assert troubles.describe_place(FIRST) == "kafka takes nothing: NOT_ENOUGH_REPLICAS"
    (shown,) = troubles.describe().values()
    assert (shown["error"], shown["rows_wait"]) == ("NOT_ENOUGH_REPLICAS", True)
    troubles.note_taken(FIRST)
    assert not troubles.is_lasting(FIRST)
    assert troubles.describe() == {}
    began, ended = [each.getMessage() for each in caplog.records]
    assert began.startswith("kafka takes nothing place=squad.events[0] error=NOT_ENOUGH_REPLICAS since=")
    assert ended == "kafka takes rows again place=squad.events[0] after_seconds=20"


def test_short_trouble_is_not_spoken_of(troubles: Troubles, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "squad.relay")
    troubles.note(FIRST, NotLeaderForPartitionError())
    clock.now += 9
    troubles.note(FIRST, NotLeaderForPartitionError())
    troubles.note_taken(FIRST)
    assert caplog.records == []


def test_while_no_broker_answers_no_place_is_blamed(troubles: Troubles, clock: Clock) -> None:
    troubles.note_taken(SECOND)
    clock.now += 1
    for _ in range(100):
        clock.now += 1
        assert not troubles.note(FIRST, KafkaConnectionError())


def test_place_is_blamed_for_what_nobody_names_once_others_take_what_they_are_sent(
    troubles: Troubles, clock: Clock
) -> None:
    troubles.note(FIRST, KafkaConnectionError())
    clock.now += 11
    troubles.note_taken(SECOND)
    assert troubles.note(FIRST, TimeoutError())


def test_second_place_in_trouble_is_waited_for_much_shorter(troubles: Troubles, clock: Clock) -> None:
    troubles.note(FIRST, NotEnoughReplicasError())
    clock.now += 11
    assert troubles.note(FIRST, NotEnoughReplicasError())
    assert not troubles.note(SECOND, NotEnoughReplicasError())
    clock.now += 1.1
    assert troubles.note(SECOND, NotEnoughReplicasError())


def test_trouble_of_a_topic_is_that_of_its_partitions(troubles: Troubles, clock: Clock) -> None:
    topic = Place("squad.events")
    troubles.note(topic, NotEnoughReplicasError())
    clock.now += 11
    assert troubles.note(topic, NotEnoughReplicasError())
    assert troubles.is_lasting(SECOND)
    troubles.note_taken(FIRST)
    assert not troubles.is_lasting(SECOND)


def test_outage_is_spoken_of_at_its_beginning_and_its_end(
    troubles: Troubles, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "squad.relay")
    for _ in range(10):
        troubles.note_unavailable(KafkaConnectionError())
        clock.now += 6
    assert troubles.describe()["kafka"]["error"] == "KafkaConnectionError"
    troubles.note_available()
    troubles.note_available()
    assert [each.getMessage().partition(" error=")[0] for each in caplog.records] == [
        "kafka unavailable, trying for as long as it takes",
        "kafka available again after_seconds=60",
    ]
