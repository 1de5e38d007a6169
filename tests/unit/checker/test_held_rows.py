"""Rows that the relay holds, skips or diverts are not lost, and the judge knows it."""

import pytest

from checker.faults import Invariant
from checker.judge import Result, judge
from messages import ids
from tests.unit.checker.small_run import EVENTS_TOPIC, LETTERS, OUTCOMES, SQUAD, make_small_run
from tests.unit.checker.tampering import take_off_topic


@pytest.mark.parametrize("topic", [EVENTS_TOPIC, OUTCOMES])
def test_rows_that_are_held_need_not_be_on_their_topic(topic: str) -> None:
    run = make_small_run()
    end = len(run.topics[topic])
    positions = take_off_topic(run, topic, *range(4, end))
    assert judge(run.evidence()).result is Result.FAIL

    run.held = positions
    verdict = judge(run.evidence())

    assert verdict.findings == ()
    assert verdict.gaps == (f"{len(positions)} outbox rows are held: nobody knows whether they will be published",)


def test_row_that_was_skipped_leaves_a_gap_that_is_known() -> None:
    run = make_small_run()
    run.skipped = take_off_topic(run, EVENTS_TOPIC, 3)

    assert judge(run.evidence()).findings == ()


def test_diverted_row_is_to_be_among_the_dead_letters() -> None:
    run = make_small_run()
    run.diverted = take_off_topic(run, EVENTS_TOPIC, 3)
    (position,) = run.diverted
    assert {finding.invariant for finding in judge(run.evidence()).findings} == {Invariant.PUBLISHED}

    letter_id = ids.diverted_id(EVENTS_TOPIC, position)
    run.append(LETTERS, SQUAD.encode(), b"", [("dead-letter-id", letter_id.encode())])
    run.repeats_allowed = 0

    assert judge(run.evidence()).findings == ()
