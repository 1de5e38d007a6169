# ruff: noqa: INP001 - documents are no room, so they are no package either
"""Writes the generated parts of the documents anew: `python -m docs.generate`. A test says when they are not current.

A part stands between two marks, each alone on its line: `<!-- generated: NAME -->` and `<!-- end: NAME -->`.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from bench import readme
from docs.parts import command_line, decisions, faults, messages, metrics, planted_bugs, settings, streams

DOCS: Final = Path(__file__).parent

PARTS: Final[Mapping[str, Callable[[], str]]] = {
    "commands": messages.render_commands,
    "events": messages.render_events,
    "outcome": messages.render_outcome,
    "rejection codes": messages.render_codes,
    "dead-letter reasons": messages.render_reasons,
    "stream of a user": streams.render_user,
    "stream of a squad": streams.render_squad,
    "settings": settings.render,
    "metrics": metrics.render,
    "verbs": command_line.render,
    "decisions": decisions.render,
    "planted bugs": planted_bugs.render,
    "faults": faults.render,
    "benchmarks": readme.page,
}
"""What is generated, by the name in the marks."""

_PART: Final = re.compile(r"^<!-- generated: (?P<name>.+) -->\n(?P<content>.*?)^<!-- end: (?P=name) -->$", re.M | re.S)


def pages() -> list[Path]:
    """Give every document."""
    return sorted(DOCS.glob("**/*.md"))


def names(text: str) -> list[str]:
    """Give the names of the generated parts of a page."""
    return [part["name"] for part in _PART.finditer(text)]


def renew(text: str) -> str:
    """Give a page's text with its generated parts as the code says.

    Raises:
        KeyError: there is no part of such a name.
    """
    return _PART.sub(_renew_part, text)


def _renew_part(part: re.Match[str]) -> str:
    name = part["name"]
    return f"<!-- generated: {name} -->\n\n{PARTS[name]().strip()}\n\n<!-- end: {name} -->"


def write_all() -> None:
    """Write every page whose generated parts are not current."""
    for page in pages():
        text = page.read_text()
        renewed = renew(text)
        if renewed != text:
            page.write_text(renewed)


if __name__ == "__main__":
    write_all()
