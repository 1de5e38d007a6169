"""README and the page of benchmarks show what runs printed and measured, and nothing else."""

import pytest

from bench import readme, report, way
from bench.programs import PROGRAMS
from docs.parts import faults


def test_readme_is_current():
    text = readme.README.read_text()

    assert readme.fill(text) == text, "run `python -m bench.readme`"


def test_missing_part_is_noticed():
    with pytest.raises(ValueError, match="generated: demo"):
        readme.fill("nothing")


def test_every_results_file_is_shown():
    shown = {f"{program.name}.json" for program in PROGRAMS} | {
        readme.DEMO.name,
        readme.TESTS.name,
        faults.RESULTS.name,
    }

    assert {path.name for path in report.RESULTS.iterdir() if path.is_file()} <= shown


def test_every_program_has_a_section_with_its_lines():
    page = readme.page()

    for program in PROGRAMS:
        assert f"### {program.name}\n\n{program.summary}\n\n`python -m {program.module}`" in page
        results = report.load(program.name)
        if results is not None:
            assert report.markdown(program.rows(results)) in page


def test_results_that_are_there_are_shown_with_their_circumstances(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    said = {
        "measured_at": "then",
        "machine": "m",
        "stack": "s",
        "postgres": "18",
        "python": "3",
        "seed": 7,
        "commit": "c",
    }
    report.save(
        {**said, "help_seconds": [0.2, 0.9, 0.3], "first_command_seconds": [5.0], "sizes": {"helps": 3}},
        tmp_path / "cold.json",
    )

    page = readme.page()

    assert "| `squad --help` | 0.30 s | - | 0.30 s | 0.90 s | ≤ 0.40 s | yes |" in page
    assert "Measured then: m, s, PostgreSQL 18, Python 3, helps 3, seed 7, commit c." in page
    assert "**no**" in readme.speed()


def test_what_was_not_measured_is_not_claimed(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "RESULTS", tmp_path)

    assert readme.page().count("Not measured yet.") == len(PROGRAMS)
    assert len(readme.speed().splitlines()) == 2


def test_medians_are_taken_over_the_rounds():
    rounds = [{"consumer": {"processor_microseconds": {"consumer": each, "broker": 1.0}}} for each in (9.0, 2.0, 4.0)]

    assert way.processors({"rounds": rounds}).splitlines()[-1] == "| 4.0 | 1.0 |"


def test_ratios_are_paired_within_a_round():
    more = report.at_least("rate", [600.0, 400.0, 500.0], [10.0, 5.0, 10.0], 60)
    less = report.at_most("cost", [9.0, 4.0, 2.0], [3.0, 1.0, 2.0], 2)

    assert more.cells() == ("rate", "500/s", "10/s", "60.00 x", "50.00 x", "≥ 60 x", "yes")
    assert less.cells() == ("cost", "4.0 ms", "2.0 ms", "3.00 x", "4.00 x", "≤ 2 x", "**no**")


def test_results_of_changed_code_say_so():
    assert report.commit_of({"commit": "0123456789abcdef", "changed": False}) == "0123456789"
    assert report.commit_of({"commit": "0123456789abcdef", "changed": True}) == "0123456789 with changes"
