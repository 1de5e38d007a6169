"""Pages that name places in the code and tests: the rows of their tables, and whether what they name is there."""

import ast
import importlib
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]


def rows_below(text: str, first: str) -> list[tuple[str, ...]]:
    """Give the rows of all tables of a page, without their heads, which begin with a word."""
    return [
        tuple(cell.strip() for cell in line.strip("| ").split(" | "))
        for line in text.splitlines()
        if line.startswith("| ") and not line.startswith((f"| {first} |", "| ---"))
    ]


def codes(cell: str) -> list[str]:
    """Give what stands between back-ticks."""
    return re.findall(r"`([^`]+)`", cell)


def exists(place: str) -> bool:
    """Tell whether a file, a module, what a module holds, or what a class of one does is there."""
    if (ROOT / place).exists():
        return True
    parts = place.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:count]))
        except (ModuleNotFoundError, ValueError):
            continue
        for name in parts[count:]:
            if not hasattr(found, name):
                return False
            found = getattr(found, name)
        return True
    return False


def missing_tests(tests: list[str]) -> list[str]:
    """Give those of `path::name` that are not there."""
    return [each for each in tests if each.partition("::")[2] not in names_of(ROOT / each.partition("::")[0])]


@cache
def names_of(path: Path) -> frozenset[str]:
    """Give the functions of a module."""
    if not path.is_file():
        return frozenset()
    return frozenset(
        node.name
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
