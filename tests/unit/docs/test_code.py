"""Code in the documents is Python; what is marked `run` runs here, and `database`, in the integration tests."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
BLOCKS = [
    pytest.param(mark.strip(), code, id=f"{document.name}-{number}")
    for document in DOCUMENTS
    for number, (mark, code) in enumerate(
        re.findall(r"^```python([^\n]*)\n(.*?)^```$", document.read_text(), re.M | re.S)
    )
]


@pytest.mark.parametrize(("mark", "code"), BLOCKS)
def test_code_is_python(mark: str, code: str) -> None:
    ast.parse(code)

    assert mark in {"", "run", "database"}


@pytest.mark.parametrize(
    "code", [pytest.param(block.values[1], id=block.id) for block in BLOCKS if block.values[0] == "run"]
)
def test_code_that_is_marked_runs(code: str) -> None:
    exec(compile(code, "<document>", "exec"), {"__name__": "document"})  # noqa: S102 - our own documents


def test_there_is_code_to_run() -> None:
    assert any(block.values[0] == "run" for block in BLOCKS)
