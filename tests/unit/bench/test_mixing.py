"""The mix of all commands: every type is in it, with its weight, and hardly any command is refused."""

import random
from collections import Counter

import pytest

from bench import mix, report
from bench.mixing.plan import Mixture
from bench.mixing.weights import WEIGHTS
from messages.registry import COMMAND_TYPES, COMMANDS

NUMBER = 3_000


def planned(seed=1):
    return Mixture(random.Random(seed), NUMBER).plan()


def test_every_command_of_the_registry_has_a_weight():
    assert WEIGHTS.keys() == COMMANDS.keys()
    assert all(weight > 0 for weight in WEIGHTS.values())
    assert sum(WEIGHTS.values()) == 1_000


def test_what_asks_for_a_type_gives_that_type():
    mixture = Mixture(random.Random(1), 100)
    mixture.plan()

    for name, maker in mixture.makers.items():
        made = next(filter(None, (maker() for _ in range(50))))
        assert COMMAND_TYPES[type(made)].name == name
    assert mixture.makers.keys() == WEIGHTS.keys()


def test_each_type_comes_as_often_as_its_weight_says():
    _, measured = planned()

    counts = Counter(COMMAND_TYPES[type(command)].name for command in measured)

    assert len(measured) == NUMBER
    assert {name: counts[name] / NUMBER * 1_000 for name in WEIGHTS} == pytest.approx(WEIGHTS, rel=0.5, abs=4)


def test_the_same_seed_plans_the_same():
    assert planned() == planned()
    assert planned() != planned(seed=2)


def result(rate, spent, **outcomes):
    return {
        "commands_per_second": rate,
        "processor_microseconds": {"consumer": spent, "PostgreSQL": 1.0},
        "types": {"user.rename.v1": outcomes},
    }


def test_the_mix_is_held_against_that_of_the_whole_way():
    one = {"all types": result(50.0, 30.0, applied=3, rejected=1), "way": result(100.0, 20.0, applied=4)}
    results = {"rounds": [one], "load": {"weights": {"user.rename.v1": 10}}}

    rates, spent = mix.rows(results)
    shown = mix.details(results)

    assert (rates.median, rates.met) == ("0.50 x", None)
    assert (spent.measured, spent.median) == ("30.0 µs", "1.50 x")
    assert "applied 75.00 %, rejected 25.00 %" in shown
    assert "| `user.rename.v1` | 10 | 3 | 1 |" in shown


def test_tables_of_a_load_are_not_in_the_line_of_circumstances():
    said = {"machine": "m", "stack": "s", "postgres": "18", "python": "3", "seed": 1, "commit": "c"}

    line = report.said_of(said | {"load": {"weights": {"user.rename.v1": 10}, "key skew": "none"}})

    assert "key skew none" in line
    assert "user.rename" not in line
