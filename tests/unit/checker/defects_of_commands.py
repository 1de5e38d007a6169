"""What may go wrong with how commands are decided, answered and parked, and what the judge calls it."""

import json
from dataclasses import replace

from checker.evidence import LetterRow, ParkedRow, Place
from checker.faults import Invariant
from domain import commands, events
from domain.values import PlanTier
from messages import ids
from tests.making import NOON, SOURCE
from tests.unit.checker.small_run import (
    ADA,
    BOB,
    COMMANDS,
    EVENTS_TOPIC,
    LETTERS,
    MEMBER,
    OUTCOMES,
    REPLIES,
    SQUAD,
    TASK,
    SmallRun,
    make_waiting_run,
)
from tests.unit.checker.tampering import Plant, rewrite, take_out_of_order


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


def _change_content(run: SmallRun) -> None:
    """Another command under an id that was decided, and it was answered as if it were the same."""
    headers = run.topics[COMMANDS][7].headers
    rewrite(
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


OF_COMMANDS: dict[str, tuple[Plant, set[Invariant]]] = {
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
        lambda run: rewrite(run, REPLIES, 0, headers=run.topics[REPLIES][0].headers[:2]),
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
    "two commands of a key change places": (take_out_of_order, {Invariant.TAKEN_IN_ORDER}),
    "the next command is not applied after the faults, but a later one": (
        _apply_only_a_later_one_after_the_faults,
        {Invariant.GOES_ON, Invariant.AS_EXPECTED},
    ),
    "nothing is applied after the faults": (_apply_nothing_after_the_faults, {Invariant.GOES_ON}),
    "a checkpoint is short": (_short_checkpoint, {Invariant.CHECKPOINT_AT_END}),
    "a checkpoint is past the end": (_checkpoint_past_the_end, {Invariant.CHECKPOINT_AT_END}),
}
