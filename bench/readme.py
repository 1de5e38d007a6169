"""`python -m bench.readme`: writes what runs printed into README, between its markers; a test says it is current."""

from pathlib import Path
from typing import Final

from bench import report

README: Final = Path(__file__).parents[1] / "README.md"
DEMO: Final = report.RESULTS / "demo.txt"
TESTS: Final = report.RESULTS / "test.txt"


def generated() -> dict[str, str]:
    """Give the generated parts of README by the names of their markers."""
    results = report.load()
    machine = (
        f"{results['machine']}, {results['stack']}, PostgreSQL {results['postgres']}, Python {results['python']},"
        f" {len(results['rounds'])} rounds of {results['commands']:,} commands, seed {results['seed']},"
        f" commit {(results['commit'] or 'unknown')[:10]}"
    )
    return {
        "demo": f"```text\n{DEMO.read_text().rstrip()}\n```",
        "test": f"```text\n{TESTS.read_text().rstrip()}\n```",
        "speed": f"{report.table(results)}\n\n{machine}.",
        "phases": report.phases(results),
        "processors": report.processors(results),
    }


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
    README.write_text(fill(README.read_text()))
