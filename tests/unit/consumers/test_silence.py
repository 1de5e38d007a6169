"""How long a partition has been silent, by a clock that the test moves."""

from consumers.records import Partition
from consumers.silence import Silence

HERE = Partition("squad.commands", 0)
THERE = Partition("squad.commands", 1)


class Clock:
    """Seconds that a test counts."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def made() -> tuple[Silence, Clock]:
    clock = Clock()
    return Silence(gap_seconds=1, clock=clock), clock


def test_idle_partition_of_a_transactional_producer_is_never_silent() -> None:
    """An hour of polls: the broker answers, and there is nothing; the last mark is passed over."""
    silence, clock = made()
    for number in range(10_000):
        clock.seconds += 0.36
        silence.note(HERE, position=34, end=34, answered_at=number)
    assert silence.longest() == (HERE, 0)


def test_partition_is_silent_while_nobody_answers() -> None:
    silence, clock = made()
    for _ in range(100):
        clock.seconds += 0.2
        silence.note(HERE, position=34, end=34, answered_at=7)
        silence.note(THERE, position=1, end=None, answered_at=None)
    found = silence.longest()
    assert found is not None
    assert round(found[1], 3) == 19.8
    silence.note(HERE, position=34, end=34, answered_at=8)
    silence.note(THERE, position=2, end=9, answered_at=8)
    assert (silence.longest() or (None, 1))[1] == 0


def test_partition_is_silent_while_answers_say_there_is_more_and_nothing_comes() -> None:
    silence, clock = made()
    for number in range(51):
        clock.seconds += 0.2
        silence.note(HERE, position=34, end=40, answered_at=number)
    found = silence.longest()
    assert found is not None
    assert round(found[1], 3) == 10


def test_time_in_which_it_is_not_asked_does_not_count() -> None:
    """It was paused, stopped, or behind a long batch: an hour of that is no more than a moment."""
    silence, clock = made()
    silence.note(HERE, position=34, end=40, answered_at=7)
    clock.seconds += 3600
    assert silence.longest() is None, "what is not asked for is not silent"
    silence.note(HERE, position=34, end=40, answered_at=7)
    assert silence.longest() == (HERE, 1)
