"""The judge itself: a run without faults passes, and every planted defect is found under its name."""

import inspect
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from checker.case import Case
from checker.deciding import MAY_CHANGE_NOTHING
from checker.evidence import LetterRow, ParkedRow, Place
from checker.faults import Invariant
from checker.history import Status
from checker.judge import Result, judge
from checker.ordering import check_taken_in_order
from checker.parking import check_not_overtaken, check_parked_in_order
from checker.retelling import RETELL
from domain import commands, events
from domain.tables import RULES, SweepRule
from domain.values import PlanTier
from messages import ids
from messages.registry import COMMAND_TYPES, EVENTS
from tests.making import NOON, SOURCE
from tests.unit.checker.small_run import (
    ADA,
    BOB,
    COMMANDS,
    EVENTS_TOPIC,
    LETTERS,
    MEMBER,
    OUTCOMES,
    PROJECT,
    REPLIES,
    SQUAD,
    TASK,
    SmallRun,
    make_small_run,
    make_waiting_run,
)

Plant = Callable[[SmallRun], object]


def test_run_without_faults_passes() -> None:
    verdict = judge(make_small_run().evidence())

    assert verdict.result is Result.PASS
    assert verdict.findings == ()


def test_run_at_whose_end_commands_wait_behind_a_dead_letter_passes() -> None:
    verdict = judge(make_waiting_run().evidence())

    assert verdict.result is Result.PASS, verdict.tell()


def test_commands_of_a_stream_that_was_redriven_in_part_wait_for_what_is_left() -> None:
    """The dead letter is applied, the first command behind it too; the second one still waits, and nobody overtook."""
    run = make_waiting_run()
    for place in (-3, -2):
        run.inbox[place] = replace(run.inbox[place], outcome="rejected", final=True, revision=2)
    run.parked.pop(0)

    assert not [*check_not_overtaken(Case(run.evidence()))]
    assert not [*check_parked_in_order(Case(run.evidence()))]
    run.rejected(commands.CompleteTask(squad_id=SQUAD, task_id=TASK), "cannot-complete-completed-task")
    assert [*check_not_overtaken(Case(run.evidence()))]


def test_relays_repeat_of_the_same_bytes_passes() -> None:
    run = make_small_run()
    for topic in (EVENTS_TOPIC, OUTCOMES, LETTERS):
        for record in run.topics[topic][:3]:
            run.append(topic, record.key, record.value, record.headers)

    assert judge(run.evidence()).result is Result.PASS


def test_no_more_repeats_than_breaks_explain_pass() -> None:
    run = make_small_run()
    _repeat_three(run)
    run.repeats_allowed = 3

    assert judge(run.evidence()).result is Result.PASS


def _repeat_three(run: SmallRun) -> None:
    for record in run.topics[EVENTS_TOPIC][:3]:
        run.append(EVENTS_TOPIC, record.key, record.value, record.headers)


def _repeat_too_much(run: SmallRun) -> None:
    _repeat_three(run)
    run.repeats_allowed = 2


def _rewrite(run: SmallRun, topic: str, index: int, **changes: object) -> None:
    run.topics[topic][index] = replace(run.topics[topic][index], **changes)  # type: ignore[arg-type] # by name


def _repeat(run: SmallRun, topic: str, **changes: object) -> None:
    record = replace(run.topics[topic][0], **changes)  # type: ignore[arg-type] # by name
    run.append(topic, record.key, record.value, record.headers)


def _swap(run: SmallRun, topic: str, one: int, other: int) -> None:
    records = run.topics[topic]
    first, second = records[one], records[other]
    records[one], records[other] = replace(second, place=first.place), replace(first, place=second.place)


def _lose_acknowledged(run: SmallRun) -> None:
    place = run.topics[COMMANDS][-1].place
    run.history.ok(0, place.partition, place.offset + 1)


def _send_what_failed(run: SmallRun) -> None:
    run.history.fail(0, "MessageSizeTooLargeError")


def _become_another(run: SmallRun) -> None:
    run.history.attempts[0].expected = "rejected:email-taken"


def _skip_command(run: SmallRun) -> None:
    """The checkpoint went on without the command: what the consumer would do that commits before it decides."""
    row = run.inbox[1]
    run.inbox.remove(row)
    run.outbox[:] = [each for each in run.outbox if each.key != BOB.encode()]
    for topic in (EVENTS_TOPIC, OUTCOMES):
        run.remove(topic, 1)
    del run.tables["users"][BOB], run.versions[BOB]


def _decide_twice(run: SmallRun) -> None:
    run.inbox.append(run.inbox[0])


def _invent_command(run: SmallRun) -> None:
    run.inbox.append(replace(run.inbox[-2], place=Place(0, 99)))
    run.inbox.pop(-3)


def _decide_from_repeat(run: SmallRun) -> None:
    """The duplicate was decided, and the first one skipped."""
    index = next(number for number, row in enumerate(run.inbox) if row.place.offset == 6)
    run.inbox[index] = replace(run.inbox[index], place=Place(0, 7))


def _apply_twice(run: SmallRun) -> None:
    """The inbox was ignored: a second event for the repeated command."""
    cause = run.topics[EVENTS_TOPIC][-1]
    run.versions[SQUAD] += 1
    headers = [header for header in cause.headers if header[0] in {"ce_type", "ce_causationid"}]
    body = (cause.value or b"").replace(b"from_user_id", b"_").replace(b"to_user_id", b"from_user_id")
    body = body.replace(b'"_"', b'"to_user_id"')
    run.tables["squads"][SQUAD]["user_id"] = run.topics[EVENTS_TOPIC][0].header("ce_id")
    run.publish(EVENTS_TOPIC, "second-effect", SQUAD.encode(), body, headers, sequence=run.versions[SQUAD])


def _lose_effect(run: SmallRun) -> None:
    """Applied, with no event, and the event was never in the outbox."""
    row = run.inbox[0]
    told = row.told | {"event_ids": []}
    run.inbox[0] = replace(row, event_ids=(), body=str(told).encode())


def _lose_letter_row(run: SmallRun) -> None:
    run.letters.pop()


def _lose_letter_record(run: SmallRun) -> None:
    run.remove(LETTERS, 1)


def _cut_letter(run: SmallRun) -> None:
    run.letters[1] = replace(run.letters[1], value=b"")


def _needless_letter(run: SmallRun) -> None:
    run.letters.append(replace(run.letters[0], id="needless", place=Place(0, 0)))


def _lose_answer(run: SmallRun) -> None:
    """The duplicate got no outcome, neither in the outbox nor on the topic."""
    repeated = next(row for row in reversed(run.outbox) if row.event_id == run.outbox[13].event_id)
    run.outbox.remove(repeated)
    run.remove(OUTCOMES, 7)


def _reply_to_nobody(run: SmallRun) -> None:
    """An outcome went to a topic that its command did not name."""
    record = run.topics[OUTCOMES][0]
    run.publish(REPLIES, str(record.header("ce_id")), record.key or b"", record.value or b"", record.headers[3:])


def _short_checkpoint(run: SmallRun) -> None:
    run.checkpoint = len(run.topics[COMMANDS]) - 1


def _checkpoint_past_the_end(run: SmallRun) -> None:
    run.checkpoint = len(run.topics[COMMANDS]) + 1


def _gap(run: SmallRun) -> None:
    """A number was given and its event never written."""
    last = run.topics[EVENTS_TOPIC][-1]
    headers = tuple((name, b"%019d" % 9 if name == "ce_sequence" else value) for name, value in last.headers)
    _rewrite(run, EVENTS_TOPIC, -1, headers=headers)
    row = next(row for row in run.outbox if row.event_id == last.header("ce_id"))
    run.outbox[run.outbox.index(row)] = replace(row, sequence=9)
    run.versions[SQUAD] = 9


def _split_key(run: SmallRun) -> None:
    record = run.topics[EVENTS_TOPIC].pop()
    run.topics[EVENTS_TOPIC].append(replace(record, place=Place(1, 0)))


def _late_repeat_of_outcome(run: SmallRun) -> None:
    """A repeated outcome may be recorded later, but nothing else of it may differ."""
    record = run.topics[OUTCOMES][7]
    _rewrite(run, OUTCOMES, 7, headers=(*record.headers, ("traceparent", b"00")))


def _change_content(run: SmallRun) -> None:
    """Another command under an id that was decided, and it was answered as if it were the same."""
    headers = run.topics[COMMANDS][7].headers
    _rewrite(
        run,
        COMMANDS,
        7,
        headers=[(name, b"2026-05-05T12:00:00Z" if name == "ce_time" else each) for name, each in headers],
    )


def _refuse_the_same(run: SmallRun) -> None:
    """A duplicate is a dead letter, though it differs in nothing."""
    sent = run.topics[COMMANDS][7]
    letter_id = ids.dead_letter_id(COMMANDS, 0, 7, 0)
    run.letters.append(
        LetterRow(id=letter_id, place=sent.place, key=sent.key, value=sent.value, source=SOURCE, reason="id-conflict")
    )
    told = {"id": letter_id, "partition": "0", "offset": "7", "reason": "id-conflict"}
    headers = [*sent.headers, *((f"dead-letter-{name}", text.encode()) for name, text in told.items())]
    run.publish(LETTERS, letter_id, sent.key or b"", sent.value or b"", headers)
    run.history.attempts[7].expected = "dead-lettered:id-conflict"
    _lose_answer(run)


def _leave_open(run: SmallRun) -> None:
    """A command's last word is no final one."""
    row = run.inbox[0]
    run.inbox[0] = replace(row, final=False, body=row.body.replace(b'"final":true', b'"final":false'))


def _have_two_last_words(run: SmallRun) -> None:
    """A final outcome was replaced by another one."""
    row = run.inbox[0]
    body = json.dumps(row.told | {"revision": 2}).encode()
    run.inbox[0] = replace(row, revision=2, body=body)
    outcome_id = ids.CommandIds(*row.identity).outcome(2)
    run.publish(OUTCOMES, outcome_id, row.key.encode(), body, [("ce_causationid", row.identity.id.encode())])


def _leave_waiting(run: SmallRun) -> None:
    row = run.inbox[-2]
    run.inbox[-2] = replace(row, outcome="parked", final=False)


def _let_wait(run: SmallRun) -> None:
    run.__dict__.update(make_waiting_run().__dict__)


def _lose_parked(run: SmallRun) -> None:
    _let_wait(run)
    run.parked.pop()


def _park_what_was_decided(run: SmallRun) -> None:
    run.parked.append(ParkedRow(stream=SQUAD, number=1, place=run.inbox[4].place))


def _park_in_another_order(run: SmallRun) -> None:
    _let_wait(run)
    first, second = run.parked
    run.parked = [replace(first, place=second.place), replace(second, place=first.place)]


def _overtake(run: SmallRun) -> None:
    """A command behind the dead letter is decided as if nothing were."""
    _let_wait(run)
    run.rejected(commands.CompleteTask(squad_id=SQUAD, task_id=TASK), "cannot-complete-completed-task")


def _take_out_of_order(run: SmallRun) -> None:
    """The completion of a task stands before its creation, and was applied after it all the same."""
    _swap(run, COMMANDS, 4, 5)
    run.inbox[4], run.inbox[5] = replace(run.inbox[4], place=Place(0, 5)), replace(run.inbox[5], place=Place(0, 4))
    run.history.ok(4, 0, 5)
    run.history.ok(5, 0, 4)


def _apply_nothing_after_the_faults(run: SmallRun) -> None:
    run.healed_at = NOON.timestamp()
    for attempt in run.history.attempts[:8]:
        attempt.intended_at -= 1


def _apply_only_a_later_one_after_the_faults(run: SmallRun) -> None:
    """The next that was to be applied is rejected, and one behind it is applied."""
    user_id = MEMBER
    registered = events.UserRegistered(user_id=user_id, plan_tier=PlanTier.FREE, registered_at=NOON)
    run.applied(commands.RegisterUser(user_id=user_id, email="new@example.org", name="New"), registered)
    run.tables["users"][user_id] = {**run.tables["users"][ADA]}
    run.history.attempts[8].expected = "applied"
    run.healed_at = NOON.timestamp()
    for attempt in run.history.attempts[:8]:
        attempt.intended_at -= 1


DEFECTS: dict[str, tuple[Plant, set[Invariant]]] = {
    "an acknowledged record is lost": (_lose_acknowledged, {Invariant.ACKNOWLEDGED_KEPT, Invariant.AS_EXPECTED}),
    "an acknowledged record has another key": (
        lambda run: setattr(run.history.attempts[0], "key", BOB),
        {Invariant.ACKNOWLEDGED_KEPT},
    ),
    "a record is there whose sending failed": (_send_what_failed, {Invariant.FAILED_ABSENT}),
    "a command ends otherwise than foreseen": (_become_another, {Invariant.AS_EXPECTED}),
    "a command is skipped": (
        _skip_command,
        {Invariant.DECIDED_ONCE, Invariant.ANSWERED, Invariant.AS_EXPECTED},
    ),
    "a command is decided twice": (_decide_twice, {Invariant.DECIDED_ONCE}),
    "a command is decided that nobody sent": (_invent_command, {Invariant.DECIDED_ONCE}),
    "a duplicate is decided instead of the first": (_decide_from_repeat, {Invariant.DECIDED_ONCE}),
    "a command has its effect twice": (_apply_twice, {Invariant.EFFECT_ONCE, Invariant.STATE_REBUILT}),
    "a command is applied without effect": (_lose_effect, {Invariant.EFFECT_ONCE, Invariant.OUTCOME_STORED}),
    "a dead letter is not in the table": (_lose_letter_row, {Invariant.LETTER_KEPT, Invariant.AS_EXPECTED}),
    "a dead letter is not on the topic": (_lose_letter_record, {Invariant.LETTER_KEPT, Invariant.PUBLISHED}),
    "a dead letter is not whole": (_cut_letter, {Invariant.LETTER_KEPT}),
    "a dead letter is of a command that was applied": (
        _needless_letter,
        {Invariant.LETTER_KEPT, Invariant.AS_EXPECTED},
    ),
    "a duplicate is not answered": (_lose_answer, {Invariant.ANSWERED}),
    "an outcome is not where its command wanted it": (
        lambda run: run.remove(REPLIES, 0),
        {Invariant.REPLIED, Invariant.PUBLISHED},
    ),
    "an outcome is another where its command wanted it": (
        lambda run: _rewrite(run, REPLIES, 0, headers=run.topics[REPLIES][0].headers[:2]),
        {Invariant.REPLIED},
    ),
    "an outcome is where nobody wanted it": (_reply_to_nobody, {Invariant.REPLIED}),
    "an id is taken for the same with another content": (_change_content, {Invariant.ONE_CONTENT}),
    "a duplicate is refused": (_refuse_the_same, {Invariant.ONE_CONTENT}),
    "a command has no final outcome": (_leave_open, {Invariant.CONCLUDED, Invariant.OUTCOME_STORED}),
    "a command has two final outcomes": (_have_two_last_words, {Invariant.CONCLUDED}),
    "a command waits that is not parked": (
        _leave_waiting,
        {Invariant.PARKED_KEPT, Invariant.OUTCOME_STORED, Invariant.AS_EXPECTED},
    ),
    "a parked command is lost": (_lose_parked, {Invariant.PARKED_KEPT}),
    "a command that was decided is parked": (
        _park_what_was_decided,
        {Invariant.PARKED_KEPT, Invariant.NOT_OVERTAKEN},
    ),
    "two parked commands change places": (_park_in_another_order, {Invariant.PARKED_IN_ORDER}),
    "a command overtakes its stream's dead letter": (_overtake, {Invariant.NOT_OVERTAKEN}),
    "two commands of a key change places": (_take_out_of_order, {Invariant.TAKEN_IN_ORDER}),
    "the next command is not applied after the faults, but a later one": (
        _apply_only_a_later_one_after_the_faults,
        {Invariant.GOES_ON, Invariant.AS_EXPECTED},
    ),
    "nothing is applied after the faults": (_apply_nothing_after_the_faults, {Invariant.GOES_ON}),
    "a checkpoint is short": (_short_checkpoint, {Invariant.CHECKPOINT_AT_END}),
    "a checkpoint is past the end": (_checkpoint_past_the_end, {Invariant.CHECKPOINT_AT_END}),
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
        lambda run: _rewrite(run, OUTCOMES, 0, value=b"{}"),
        {Invariant.OUTCOME_STORED, Invariant.SENT_AS_STORED},
    ),
    "an outcome goes to another key": (
        lambda run: _rewrite(run, OUTCOMES, 0, key=b"elsewhere"),
        {Invariant.OUTCOME_STORED, Invariant.SENT_AS_STORED},
    ),
    "a repeated event has another body": (
        lambda run: _repeat(run, EVENTS_TOPIC, value=b"{}"),
        {Invariant.REPEATED_ALIKE},
    ),
    "a repeated event has another key": (lambda run: _repeat(run, EVENTS_TOPIC, key=b"x"), {Invariant.REPEATED_ALIKE}),
    "a repeated event has other headers": (
        lambda run: _repeat(run, EVENTS_TOPIC, headers=run.topics[EVENTS_TOPIC][0].headers[:2]),
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
        lambda run: _swap(run, EVENTS_TOPIC, 5, 6),
        {Invariant.ORDER_KEPT, Invariant.GAPLESS},
    ),
    "two outcomes of a key change places": (lambda run: _swap(run, OUTCOMES, 3, 4), {Invariant.ORDER_KEPT}),
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


@pytest.mark.parametrize("defect", DEFECTS)
def test_planted_defect_is_found_by_name(defect: str) -> None:
    plant, expected = DEFECTS[defect]
    run = make_small_run()

    plant(run)
    verdict = judge(run.evidence())

    assert verdict.result is Result.FAIL
    assert {finding.invariant for finding in verdict.findings} == expected
    assert all(finding.count and finding.examples for finding in verdict.findings)


def test_every_invariant_has_a_defect_that_breaks_it() -> None:
    assert {name for _, names in DEFECTS.values() for name in names} == set(Invariant)


def test_run_that_ends_with_a_fault_is_unknown() -> None:
    run = make_small_run()
    run.healed_at = NOON.timestamp()
    for attempt in run.history.attempts:
        attempt.intended_at -= 1

    assert judge(run.evidence()).result is Result.UNKNOWN


def test_record_whose_acknowledgement_was_never_heard_counts_if_it_is_there() -> None:
    run = make_small_run()
    for status in (Status.UNKNOWN, Status.INVOKED):
        run.history.attempts[8] = replace(run.history.attempts[8], status=status, partition=None, offset=None)
        assert judge(run.evidence()).result is Result.PASS
        run.history.attempts[8].expected = "applied"
        assert {finding.invariant for finding in judge(run.evidence()).findings} == {Invariant.AS_EXPECTED}
        run.history.attempts[8].expected = "rejected:cannot-complete-completed-task"


def test_attempt_whose_record_is_not_there_may_be_unknown() -> None:
    run = make_small_run()
    run.history.unknown(
        run.history.invoke(kind="valid", source=SOURCE, id="x", key=b"x", expected="applied", intended_at=0), "timeout"
    )

    assert judge(run.evidence()).result is Result.PASS


def test_commands_of_a_key_in_two_partitions_have_no_order() -> None:
    run = make_small_run()
    _take_out_of_order(run)
    moved = Place(1, 0)
    _rewrite(run, COMMANDS, 4, place=moved)
    run.inbox[5] = replace(run.inbox[5], place=moved)
    run.history.ok(5, 1, 0)
    evidence = run.evidence()
    tables = replace(evidence.tables, checkpoints={0: 11, 1: 1})
    commands_topic = replace(evidence.commands, begins={0: 0, 1: 0}, ends={0: 11, 1: 1})

    assert judge(replace(evidence, tables=tables, commands=commands_topic)).result is Result.PASS


def test_command_that_writes_another_stream_too_stands_where_its_own_key_puts_it() -> None:
    run = make_small_run()
    _take_out_of_order(run)
    assert list(check_taken_in_order(Case(run.evidence())))

    run.inbox[5] = replace(run.inbox[5], key=ADA)

    assert not list(check_taken_in_order(Case(run.evidence())))


def test_redriven_dead_letter_takes_effect_when_it_is_redriven_and_what_was_parked_in_its_turn() -> None:
    run = make_small_run()
    _take_out_of_order(run)

    run.inbox[4] = replace(run.inbox[4], revision=2)

    assert list(check_taken_in_order(Case(run.evidence())))
    for place in (Place(0, 4), Place(0, 5)):
        run.letters.append(replace(run.letters[0], id=str(place), place=place, reason="unexpected"))
    assert not list(check_taken_in_order(Case(run.evidence())))


def test_verdict_tells_its_seed_and_examples() -> None:
    run = make_small_run()
    assert judge(run.evidence()).tell() == "PASS (seed 7)"
    run.checkpoint = 0

    told = judge(run.evidence()).tell().splitlines()

    assert told[0] == "FAIL (seed 7)"
    assert told[1] == f"broken 1 times: {Invariant.CHECKPOINT_AT_END}"
    assert told[2] == "    partition 0: 0, the last record is 10"


def test_deleted_beginning_of_a_topic_is_unknown() -> None:
    evidence = make_small_run().evidence()

    verdict = judge(replace(evidence, events=replace(evidence.events, begins={0: 3})))

    assert verdict.result is Result.UNKNOWN
    assert not verdict.passed


def test_run_without_commands_is_unknown() -> None:
    assert judge(SmallRun().evidence()).result is Result.UNKNOWN


def test_event_of_a_type_that_the_checker_does_not_know_is_never_passed() -> None:
    run = make_small_run()
    headers = run.topics[EVENTS_TOPIC][3].headers
    strange = tuple((name, b"squad.painted.v1" if name == "ce_type" else value) for name, value in headers)
    _rewrite(run, EVENTS_TOPIC, 3, headers=strange)

    assert any("squad.painted.v1" in gap for gap in judge(run.evidence()).gaps)


def test_command_for_whatever_there_is_may_find_nothing() -> None:
    run = make_small_run()
    run.applied_to_nothing(commands.CompleteProjectTasks(squad_id=SQUAD, project_id=PROJECT))

    assert judge(run.evidence()).result is Result.PASS
    quiet = {message.name for message in COMMAND_TYPES.values() if _may_tell_nothing(message.form)}
    assert quiet | {"user.register-if-absent.v1"} == MAY_CHANGE_NOTHING


def _may_tell_nothing(command: type[Any]) -> bool:
    rule = RULES[command]
    return isinstance(rule, SweepRule) and "return []" in inspect.getsource(rule.tell)


def test_checker_knows_what_every_event_does_to_the_tables() -> None:
    assert {message.name for message in EVENTS.values()} == RETELL.keys()


def _take_off_topic(run: SmallRun, topic: str, *indexes: int) -> set[int]:
    """Remove records, and give the positions of their rows."""
    ids = {run.topics[topic][index].header("ce_id") for index in indexes}
    for index in sorted(indexes, reverse=True):
        run.remove(topic, index)
    return {row.position for row in run.outbox if row.event_id in ids}


@pytest.mark.parametrize("topic", [EVENTS_TOPIC, OUTCOMES])
def test_rows_that_are_held_need_not_be_on_their_topic(topic: str) -> None:
    run = make_small_run()
    end = len(run.topics[topic])
    positions = _take_off_topic(run, topic, *range(4, end))
    assert judge(run.evidence()).result is Result.FAIL

    run.held = positions
    verdict = judge(run.evidence())

    assert verdict.findings == ()
    assert verdict.gaps == (f"{len(positions)} outbox rows are held: nobody knows whether they will be published",)


def test_row_that_was_skipped_leaves_a_gap_that_is_known() -> None:
    run = make_small_run()
    run.skipped = _take_off_topic(run, EVENTS_TOPIC, 3)

    assert judge(run.evidence()).findings == ()


def test_diverted_row_is_to_be_among_the_dead_letters() -> None:
    run = make_small_run()
    run.diverted = _take_off_topic(run, EVENTS_TOPIC, 3)
    (position,) = run.diverted
    assert {finding.invariant for finding in judge(run.evidence()).findings} == {Invariant.PUBLISHED}

    letter_id = ids.diverted_id(EVENTS_TOPIC, position)
    run.append(LETTERS, SQUAD.encode(), b"", [("dead-letter-id", letter_id.encode())])
    run.repeats_allowed = 0

    assert judge(run.evidence()).findings == ()
