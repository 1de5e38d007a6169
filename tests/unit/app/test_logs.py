"""The client library repeats itself without end while a broker is away; the log does not."""

import logging

from app.logs import Sparing


def say(name: str, text: str, *arguments: object) -> logging.LogRecord:
    return logging.LogRecord(name, logging.ERROR, __file__, 1, text, arguments, None)


def test_the_same_is_said_once_in_a_while_and_counted():
    now = [0.0]
    sparing = Sparing(library="aiokafka", again_after_seconds=10, clock=lambda: now[0])
    shown = []
    for second in range(25):
        now[0] = float(second)
        record = say("aiokafka.client", "Unable connect to node with id %s", second)
        if sparing.filter(record):
            shown.append(record.getMessage())

    assert shown == [
        "Unable connect to node with id 0",
        "Unable connect to node with id 10 (and 9 times before)",
        "Unable connect to node with id 20 (and 9 times before)",
    ]


def test_other_messages_and_our_own_are_all_shown():
    sparing = Sparing(library="aiokafka", clock=lambda: 0.0)

    assert sparing.filter(say("aiokafka", "one"))
    assert sparing.filter(say("aiokafka", "another"))
    assert sparing.filter(say("aiokafka.cluster", "one"))
    assert [sparing.filter(say("squad.relay", "one")) for _ in range(3)] == [True, True, True]
