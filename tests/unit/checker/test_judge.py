"""The judge itself: a run without faults passes, and every planted defect is found under its name."""

import inspect
from dataclasses import replace
from typing import Any

import pytest

from checker.deciding import MAY_CHANGE_NOTHING
from checker.faults import Invariant
from checker.history import Status
from checker.judge import Result, judge
from checker.retelling import RETELL
from domain import commands
from domain.tables import RULES, SweepRule
from messages.registry import COMMAND_TYPES, EVENTS
from tests.making import NOON, SOURCE
from tests.unit.checker.defects_of_commands import OF_COMMANDS
from tests.unit.checker.defects_of_topics import OF_TOPICS
from tests.unit.checker.small_run import EVENTS_TOPIC, LETTERS, OUTCOMES, PROJECT, SQUAD, SmallRun, make_small_run
from tests.unit.checker.tampering import repeat_three, rewrite

DEFECTS = OF_COMMANDS | OF_TOPICS


def test_run_without_faults_passes() -> None:
    verdict = judge(make_small_run().evidence())

    assert verdict.result is Result.PASS
    assert verdict.findings == ()


def test_relays_repeat_of_the_same_bytes_passes() -> None:
    run = make_small_run()
    for topic in (EVENTS_TOPIC, OUTCOMES, LETTERS):
        for record in run.topics[topic][:3]:
            run.append(topic, record.key, record.value, record.headers)

    assert judge(run.evidence()).result is Result.PASS


def test_no_more_repeats_than_breaks_explain_pass() -> None:
    run = make_small_run()
    repeat_three(run)
    run.repeats_allowed = 3

    assert judge(run.evidence()).result is Result.PASS


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
    rewrite(run, EVENTS_TOPIC, 3, headers=strange)

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
