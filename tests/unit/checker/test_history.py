"""Histories, written line by line and read back."""

import io

from checker.history import Attempt, History, Status, read_history


def _invoke(history: History, command_id: str | None) -> int:
    return history.invoke(kind="valid", source="/tests", id=command_id, key=b"key", expected="applied", intended_at=1.5)


def test_history_reads_back_what_was_written() -> None:
    file = io.StringIO()
    history = History(file)
    for command_id in ("acknowledged", "failed", "unknown", None):
        _invoke(history, command_id)
    history.ok(0, 2, 17)
    history.fail(1, "too large")
    history.unknown(2, "timeout")

    attempts = read_history(file.getvalue().splitlines())

    assert attempts == history.attempts
    assert [attempt.status for attempt in attempts] == [Status.OK, Status.FAILED, Status.UNKNOWN, Status.INVOKED]
    assert attempts[0] == Attempt(
        number=0,
        kind="valid",
        source="/tests",
        id="acknowledged",
        key="key",
        expected="applied",
        intended_at=1.5,
        status=Status.OK,
        partition=2,
        offset=17,
    )


def test_ends_are_behind_the_last_acknowledged_record_of_each_partition() -> None:
    history = History()
    for offset, partition in ((4, 0), (9, 1), (3, 0)):
        history.ok(_invoke(history, "any"), partition, offset)
    _invoke(history, "never acknowledged")

    assert history.ends() == {0: 5, 1: 10}


def test_histories_of_several_producers_are_read_one_after_the_other() -> None:
    files = [io.StringIO(), io.StringIO()]
    histories = [History(file, producer=name) for file, name in zip(files, ("a", "b"), strict=True)]
    for history in histories:
        _invoke(history, "same number")
    histories[1].ok(0, 1, 5)

    attempts = read_history("".join(file.getvalue() for file in files).splitlines())

    assert [(each.producer, each.number, each.offset) for each in attempts] == [("a", 0, None), ("b", 0, 5)]


def test_last_line_of_a_producer_that_was_killed_may_break_off() -> None:
    file = io.StringIO()
    history = History(file)
    _invoke(history, "first")
    history.ok(0, 0, 0)

    [attempt] = read_history(file.getvalue()[:-10].splitlines())

    assert attempt.status is Status.INVOKED
