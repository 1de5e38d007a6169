# ruff: noqa: INP001 - documents are no room, so they are no package either
"""The list of decisions, from the files beside the index."""

from pathlib import Path
from typing import Final

DECISIONS: Final = Path(__file__).parents[1] / "adr"


def render() -> str:
    """Give a link to every decision, with its title."""
    records = sorted(path for path in DECISIONS.glob("*.md") if path.name != "README.md")
    return "\n".join(f"- [{_title(path)}]({path.name})" for path in records) or "None yet."


def _title(path: Path) -> str:
    return path.read_text().partition("\n")[0].lstrip("# ").strip()
