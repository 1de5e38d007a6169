"""Checks that what comes under one id is one command: what differs from the first is a dead letter, nothing else is."""

from collections.abc import Iterator

from checker.case import NO_LIMITS, Case
from checker.evidence import TopicRecord
from checker.faults import Fault, Invariant
from messages import codec
from messages.refusals import Reason, RefusedError


def check_contents(case: Case) -> Iterator[Fault]:
    """A record has the content of the one that decided its command, or a dead letter for having another."""
    for identity, row in case.inbox.items():
        others = [place for place in case.places.get(identity, ()) if place != row.place]
        if not others or row.place not in case.identities:
            continue
        first = fingerprint(case.commands[row.place])
        for place in others:
            reasons = {letter.reason for letter in case.letters.get(place, ())}
            if reasons - {Reason.ID_CONFLICT}:
                continue
            if (fingerprint(case.commands[place]) == first) == (Reason.ID_CONFLICT in reasons):
                same = "refused for another" if reasons else "taken for the same as"
                yield Fault(Invariant.ONE_CONTENT, f"{identity}: the record at {place} is {same} one at {row.place}")


def fingerprint(record: TopicRecord) -> bytes:
    """Give what tells two commands of one id apart, of a record whose envelope can be read."""
    envelope, content_type, data = codec.read(record.headers, record.value, NO_LIMITS)
    try:
        command = codec.decode(envelope, content_type, data, NO_LIMITS)
    except RefusedError:
        return codec.hash_refused(envelope, data)
    if record.key != command.stream_id.encode():
        return codec.hash_refused(envelope, data)
    return codec.hash_command(envelope, command)


CHECKS = (check_contents,)
