"""Code in the documents that is marked `database` runs against a real one, a page from top to bottom."""

import ast
import inspect
import re
from pathlib import Path

import pytest

from db import sessions

DOCS = Path(__file__).parents[3] / "docs"
PAGES = {
    path.name: blocks
    for path in sorted(DOCS.glob("**/*.md"))
    if (blocks := re.findall(r"^```python database\n(.*?)^```$", path.read_text(), re.M | re.S))
}


@pytest.mark.parametrize("page", PAGES)
async def test_code_of_a_page_runs(database, page):
    sessions.bind(database)
    names = {"__name__": "document"}
    for block in PAGES[page]:
        code = compile(block, page, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        running = eval(code, names)  # noqa: S307 - our own documents
        if inspect.isawaitable(running):
            await running
    sessions.unbind()


def test_there_is_code_to_run():
    assert "sessions.md" in PAGES
