# ruff: noqa: INP001 - documents are no room, so they are no package either
"""The table of planted bugs, from the catalogue that the tests go through."""

from checker.faults import Invariant
from tests.planted.catalogue import BUGS, HARMLESS
from tests.planted.planting import PlantedBug


def render() -> str:
    """Give a row for every bug, and a line for every invariant that caught one."""
    rows = ["| bug | what the run does | caught by | seed |", "|---|---|---|---|", *map(_row, BUGS)]
    masked = [f"- *{bug.name}*: {bug.masked_by}." for bug in BUGS if bug.masked_by]
    together = [f"- *{bug.name}*: {bug.together_with}." for bug in BUGS if bug.together_with]
    names = [f"- `{each.name}`: {each}" for each in Invariant if any(each in bug.caught_by for bug in BUGS)]
    parts = ["\n".join(rows)]
    if masked:
        intro = "These another defence catches too; it is taken out of the run of the table, with the bug and without:"
        parts += [intro, "\n".join(masked)]
    if together:
        parts += [
            "With these another defence had to be taken out besides, which does not heal them, but stops the service:"
        ]
        parts += ["\n".join(together)]
    parts += ["What the names say:", "\n".join(names)]
    others = [f"- `{each.name}`: {each}" for each in Invariant if not any(each in bug.caught_by for bug in BUGS)]
    parts += [
        "What the checker looks at besides is tried on runs made by hand (`tests/unit/checker/`):",
        "\n".join(others),
    ]
    parts += [
        "And these changes are harmless, for now:",
        "\n".join(f"- *{each.name}*: {each.why}." for each in HARMLESS),
    ]
    return "\n\n".join(parts)


def _row(bug: PlantedBug) -> str:
    caught = ", ".join(f"`{each.name}`" for each in Invariant if each in bug.caught_by)
    return f"| {bug.name} | {bug.meets} | {caught} | {bug.seed} |"
