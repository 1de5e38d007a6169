"""README shows what runs printed, and nothing else."""

import pytest

from bench import readme, report


def test_readme_is_current():
    text = readme.README.read_text()

    assert readme.fill(text) == text, "run `python -m bench.readme`"


def test_missing_part_is_noticed():
    with pytest.raises(ValueError, match="generated: demo"):
        readme.fill("nothing")


def test_medians_are_taken_over_the_rounds():
    rounds = [{"consumer": {"processor_microseconds": {"consumer": each, "broker": 1.0}}} for each in (9.0, 2.0, 4.0)]

    assert report.processors({"rounds": rounds}).splitlines()[-1] == "| 4.0 | 1.0 |"


def test_ratios_are_paired_within_a_round():
    rounds = [
        {name: {"commands_per_second": rate} for name, rate in rates.items()}
        | {"consumer, one lane": {"commands_per_second": 1, "microseconds": {"decode": phase}}}
        for rates, phase in (
            (
                {
                    "guide": 10.0,
                    "consumer": 600.0,
                    "limit": 1200.0,
                    "relay": 20.0,
                    "bare send": 10.0,
                    "bare send_batch": 40.0,
                },
                1,
            ),
            (
                {
                    "guide": 5.0,
                    "consumer": 400.0,
                    "limit": 500.0,
                    "relay": 10.0,
                    "bare send": 10.0,
                    "bare send_batch": 20.0,
                },
                3,
            ),
            (
                {
                    "guide": 10.0,
                    "consumer": 500.0,
                    "limit": 1000.0,
                    "relay": 30.0,
                    "bare send": 10.0,
                    "bare send_batch": 60.0,
                },
                2,
            ),
        )
    ]

    table = report.table({"rounds": rounds}).splitlines()

    assert table[2].endswith("| 500/s | 10/s | 60.00 | 50.00 | ≥ 60 |")
    assert table[3].endswith("| 500/s | 1,000/s | 0.50 | 0.50 | ≥ 0.5 |")
    assert report.phases({"rounds": rounds}).splitlines()[-1] == "| 2.0 |"
