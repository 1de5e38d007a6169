"""What may go wrong with what is published and with the tables' state, and what the judge calls it."""

from dataclasses import replace
from datetime import timedelta

from checker.evidence import Place
from checker.faults import Invariant
from tests.making import NOON
from tests.unit.checker.small_run import BOB, EVENTS_TOPIC, MEMBER, OUTCOMES, PROJECT, SQUAD, TASK, SmallRun
from tests.unit.checker.tampering import Plant, repeat, repeat_three, rewrite, swap


def _repeat_too_much(run: SmallRun) -> None:
    repeat_three(run)
    run.repeats_allowed = 2


def _gap(run: SmallRun) -> None:
    """A number was given and its event never written."""
    last = run.topics[EVENTS_TOPIC][-1]
    headers = tuple((name, b"%019d" % 9 if name == "ce_sequence" else value) for name, value in last.headers)
    rewrite(run, EVENTS_TOPIC, -1, headers=headers)
    row = next(row for row in run.outbox if row.event_id == last.header("ce_id"))
    run.outbox[run.outbox.index(row)] = replace(row, sequence=9)
    run.versions[SQUAD] = 9


def _split_key(run: SmallRun) -> None:
    record = run.topics[EVENTS_TOPIC].pop()
    run.topics[EVENTS_TOPIC].append(replace(record, place=Place(1, 0)))


def _late_repeat_of_outcome(run: SmallRun) -> None:
    """A repeated outcome may be recorded later, but nothing else of it may differ."""
    record = run.topics[OUTCOMES][7]
    rewrite(run, OUTCOMES, 7, headers=(*record.headers, ("traceparent", b"00")))


OF_TOPICS: dict[str, tuple[Plant, set[Invariant]]] = {
    "an event is not on the topic": (
        lambda run: run.remove(EVENTS_TOPIC, 3),
        {Invariant.PUBLISHED, Invariant.EFFECT_ONCE, Invariant.GAPLESS, Invariant.STATE_REBUILT},
    ),
    "a stream's last event is not on the topic": (
        lambda run: run.remove(EVENTS_TOPIC, 6),
        {Invariant.PUBLISHED, Invariant.EFFECT_ONCE, Invariant.VERSION_REACHED, Invariant.STATE_REBUILT},
    ),
    "an outcome is not on the topic": (
        lambda run: run.remove(OUTCOMES, 0),
        {Invariant.PUBLISHED, Invariant.ANSWERED},
    ),
    "an outcome has other bytes than the inbox": (
        lambda run: rewrite(run, OUTCOMES, 0, value=b"{}"),
        {Invariant.OUTCOME_STORED, Invariant.SENT_AS_STORED},
    ),
    "an outcome goes to another key": (
        lambda run: rewrite(run, OUTCOMES, 0, key=b"elsewhere"),
        {Invariant.OUTCOME_STORED, Invariant.SENT_AS_STORED},
    ),
    "a repeated event has another body": (
        lambda run: repeat(run, EVENTS_TOPIC, value=b"{}"),
        {Invariant.REPEATED_ALIKE},
    ),
    "a repeated event has another key": (lambda run: repeat(run, EVENTS_TOPIC, key=b"x"), {Invariant.REPEATED_ALIKE}),
    "a repeated event has other headers": (
        lambda run: repeat(run, EVENTS_TOPIC, headers=run.topics[EVENTS_TOPIC][0].headers[:2]),
        {Invariant.REPEATED_ALIKE},
    ),
    "a repeated outcome has further headers": (_late_repeat_of_outcome, {Invariant.REPEATED_ALIKE}),
    "a record is on the topic that the outbox has not": (
        lambda run: run.append(OUTCOMES, b"x", b"{}", [("ce_id", b"unknown")]),
        {Invariant.NOTHING_ADDED, Invariant.ANSWERED},
    ),
    "an outbox row is for an unknown topic": (
        lambda run: run.outbox.append(replace(run.outbox[0], topic="elsewhere")),
        {Invariant.PUBLISHED},
    ),
    "a duplicate's outcome is not published": (lambda run: run.remove(OUTCOMES, 7), {Invariant.PUBLISHED}),
    "more is repeated than crashes explain": (_repeat_too_much, {Invariant.REPEATED_LITTLE}),
    "two events of a key change places": (
        lambda run: swap(run, EVENTS_TOPIC, 5, 6),
        {Invariant.ORDER_KEPT, Invariant.GAPLESS},
    ),
    "two outcomes of a key change places": (lambda run: swap(run, OUTCOMES, 3, 4), {Invariant.ORDER_KEPT}),
    "a number is left out": (_gap, {Invariant.GAPLESS}),
    "a root has a version without an event": (
        lambda run: run.versions.update({SQUAD: 6}),
        {Invariant.VERSION_REACHED},
    ),
    "a key is in two partitions": (_split_key, {Invariant.ONE_PARTITION}),
    "a task is open whose completion was told": (
        lambda run: run.tables["tasks"][TASK].update(status="pending"),
        {Invariant.STATE_REBUILT},
    ),
    "a squad has another owner than was told": (
        lambda run: run.tables["squads"][SQUAD].update(user_id=MEMBER),
        {Invariant.STATE_REBUILT},
    ),
    "a member was told and is not there": (
        lambda run: run.tables["members"].clear(),
        {Invariant.STATE_REBUILT},
    ),
    "a project is there that was never told": (
        lambda run: run.tables["projects"].update(another=run.tables["projects"][PROJECT]),
        {Invariant.STATE_REBUILT},
    ),
    "a project has another time than its event": (
        lambda run: run.tables["projects"][PROJECT].update(created_at=NOON + timedelta(milliseconds=1)),
        {Invariant.STATE_REBUILT},
    ),
    "a task has another time than its event": (
        lambda run: run.tables["tasks"][TASK].update(created_at=NOON + timedelta(milliseconds=1)),
        {Invariant.STATE_REBUILT},
    ),
    "a user has another time than was told": (
        lambda run: run.tables["users"][BOB].update(created_at=NOON + timedelta(milliseconds=1)),
        {Invariant.STATE_REBUILT},
    ),
}
