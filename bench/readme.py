"""`python -m bench.readme`: writes what runs printed and measured into README and docs/benchmarks.md; held by tests."""

from pathlib import Path
from typing import Any, Final

from bench import report
from bench.program import Program
from bench.programs import PROGRAMS
from bench.report import Row

README: Final = Path(__file__).parents[1] / "README.md"
DEMO: Final = report.RESULTS / "demo.txt"
TESTS: Final = report.RESULTS / "test.txt"


def generated() -> dict[str, str]:
    """Give the generated parts of README by the names of their markers."""
    return {
        "demo": f"```text\n{DEMO.read_text().rstrip()}\n```",
        "test": f"```text\n{TESTS.read_text().rstrip()}\n```",
        "speed": f"{speed()}\n\n{everywhere()}",
    }


def speed() -> str:
    """Give the lines of all programs that something was promised of."""
    return report.markdown([row for program, results in measured() for row in _promised(program, results)])


def _promised(program: Program[Any], results: dict[str, Any]) -> list[Row]:
    return [row for row in program.rows(results) if row.met is not None]


def everywhere() -> str:
    """Say on what those lines were measured: what differs between the programs, once for each."""
    found = [results for program, results in measured() if _promised(program, results)]
    places = dict.fromkeys(f"{each['machine']}, {each['stack']}, PostgreSQL {each['postgres']}" for each in found)
    commits = dict.fromkeys(map(report.commit_of, found))
    return f"{'; '.join(places)}. Commit {', '.join(commits)}."


def measured() -> list[tuple[Program[Any], dict[str, Any]]]:
    """Give the programs that have results, with these."""
    found = [(program, report.load(program.name)) for program in PROGRAMS]
    return [(program, results) for program, results in found if results is not None]


def page() -> str:
    """Give what docs/benchmarks.md shows: a section for each program."""
    return "\n\n".join(_section(program, report.load(program.name)) for program in PROGRAMS)


def _section(program: Program[Any], results: dict[str, Any] | None) -> str:
    parts = [f"### {program.name}", program.summary, f"`python -m {program.module}`"]
    if results is None:
        parts.append("Not measured yet.")
    else:
        parts += [
            report.markdown(program.rows(results)),
            program.details(results),
            f"Measured {results['measured_at']}: {report.said_of(results)}",
        ]
    return "\n\n".join(part for part in parts if part)


def fill(readme: str) -> str:
    """Give README with each generated part in its place.

    Raises:
        ValueError: a marker is missing.
    """
    for name, content in generated().items():
        before, opening, rest = readme.partition(f"<!-- generated: {name} -->\n")
        _, closing, after = rest.partition("<!-- end -->")
        if not (opening and closing):
            raise ValueError(f"README needs a part <!-- generated: {name} --> … <!-- end -->")
        readme = f"{before}{opening}{content}\n{closing}{after}"
    return readme


if __name__ == "__main__":
    from docs.generate import write_all

    README.write_text(fill(README.read_text()))
    write_all()
