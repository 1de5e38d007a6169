"""Commands that wait, and in what order others may be decided: what the judge lets pass, and what not."""

from dataclasses import replace

from checker.case import Case
from checker.evidence import Place
from checker.judge import Result, judge
from checker.ordering import check_taken_in_order
from checker.parking import check_not_overtaken, check_parked_in_order
from domain import commands
from tests.unit.checker.small_run import ADA, COMMANDS, SQUAD, TASK, make_small_run, make_waiting_run
from tests.unit.checker.tampering import rewrite, take_out_of_order


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


def test_commands_of_a_key_in_two_partitions_have_no_order() -> None:
    run = make_small_run()
    take_out_of_order(run)
    moved = Place(1, 0)
    rewrite(run, COMMANDS, 4, place=moved)
    run.inbox[5] = replace(run.inbox[5], place=moved)
    run.history.ok(5, 1, 0)
    evidence = run.evidence()
    tables = replace(evidence.tables, checkpoints={0: 11, 1: 1})
    commands_topic = replace(evidence.commands, begins={0: 0, 1: 0}, ends={0: 11, 1: 1})

    assert judge(replace(evidence, tables=tables, commands=commands_topic)).result is Result.PASS


def test_command_that_writes_another_stream_too_stands_where_its_own_key_puts_it() -> None:
    run = make_small_run()
    take_out_of_order(run)
    assert list(check_taken_in_order(Case(run.evidence())))

    run.inbox[5] = replace(run.inbox[5], key=ADA)

    assert not list(check_taken_in_order(Case(run.evidence())))


def test_redriven_dead_letter_takes_effect_when_it_is_redriven_and_what_was_parked_in_its_turn() -> None:
    run = make_small_run()
    take_out_of_order(run)

    run.inbox[4] = replace(run.inbox[4], revision=2)

    assert list(check_taken_in_order(Case(run.evidence())))
    for place in (Place(0, 4), Place(0, 5)):
        run.letters.append(replace(run.letters[0], id=str(place), place=place, reason="unexpected"))
    assert not list(check_taken_in_order(Case(run.evidence())))
