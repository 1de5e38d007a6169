"""Which records come next, of those that wait in several streams at once."""

import pytest

from consumers.queue_order import Queues, Waiting
from consumers.stored_records import StoredRecord

LETTER = "letter"


def queues(*, cut: tuple[str, ...] = (), elsewhere: str = "", **streams: str) -> Queues:
    """Give queues whose records are letters: the same letter in two streams is one record, `elsewhere` in a third."""
    by_name: dict[str, Waiting] = {}
    for stream, names in streams.items():
        for number, name in enumerate(names, 1):
            record = StoredRecord(topic="t", partition=0, offset=ord(name), timestamp=0, key=None, value=name.encode())
            waiting = by_name.setdefault(name, Waiting(record))
            waiting.numbers[stream] = number
            waiting.streams.add(stream)
    for name in elsewhere:
        by_name[name].streams.add("elsewhere")
    built = {stream: [by_name[name] for name in names] for stream, names in streams.items()}
    return Queues(by_stream=built, cut=cut)


def plan(given: Queues, *, most: int = 100) -> tuple[str, dict[str, str]]:
    letters = dict.fromkeys(given.by_stream, LETTER) | {"elsewhere": "another"}
    made = given.plan(letters, LETTER, most=most)
    return b"".join(waiting.record.value or b"" for waiting in made.order).decode(), dict(made.blocked)


def test_one_queue_is_taken_in_order_up_to_the_limit():
    assert plan(queues(s="abcd")) == ("abcd", {})
    assert plan(queues(s="abcd"), most=3) == ("abc", {})
    assert plan(queues(s="")) == ("", {})


def test_record_in_two_queues_is_taken_once_when_it_is_the_first_of_both():
    assert plan(queues(s="aXb", t="cdXe")) == ("acdXeb", {})
    assert plan(queues(s="X", t="aX", u="bXc")) == ("abXc", {})


def test_record_that_may_stand_in_what_was_not_loaded_is_waited_for():
    given = queues(s="Xa", t="bc", cut=("t",))
    given.by_stream["s"][0].streams.add("t")
    assert plan(given) == ("bc", {})
    given = queues(s="Xa", t="bc")
    given.by_stream["s"][0].streams.add("t")
    assert plan(given)[0] == "Xabc"


def test_stream_whose_next_record_waits_behind_another_letter_stops_there_and_others_go_on():
    assert plan(queues(s="aXb", t="cd", elsewhere="X")) == ("acd", {"s": "another"})
    assert plan(queues(s="aXb", t="Xc", elsewhere="X")) == ("a", {"s": "another", "t": "another"})


def test_streams_that_contradict_each_other_are_an_error():
    with pytest.raises(RuntimeError, match="is the first of all its streams"):
        plan(queues(s="ab", t="ba"))
