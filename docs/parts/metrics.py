# ruff: noqa: INP001 - documents are no room, so they are no package either
"""The table of metrics, from the closed list that is exported."""

from collections.abc import Sequence
from typing import Final

from app.monitoring.names import METRICS, NUMBERS, Subject
from docs.parts.tables import table

_TITLES: Final[dict[Subject, str]] = {
    "process": "Every process",
    "consumer": "Consumers",
    "relay": "Relays",
}
_SHOWN: Final = 8
"""A longer list of a label's values is shown by its number."""


def render() -> str:
    """Give every metric: name, kind, labels, meaning; by who exports it."""
    return "\n\n".join(f"### {title}\n\n{_table(subject)}" for subject, title in _TITLES.items())


def _table(subject: Subject) -> str:
    rows = [
        (
            f"`{each.name}`",
            each.kind,
            "; ".join(_label(name, values) for name, values in each.labels.items()),
            each.says,
        )
        for each in METRICS.values()
        if each.of == subject
    ]
    return table(("metric", "kind", "labels", "meaning"), rows)


def _label(name: str, values: Sequence[str]) -> str:
    if values is NUMBERS:
        return f"`{name}`: its number"
    if len(values) > _SHOWN:
        return f"`{name}`: one of {len(values)}"
    return f"`{name}`: " + ", ".join(f"`{value}`" for value in values)
