# ruff: noqa: INP001 - documents are no room, so they are no package either
"""The table of settings, from the class that reads them."""

from app.settings import Settings, variable
from docs.parts.tables import table


def render() -> str:
    """Give every setting: variable, default, meaning."""
    rows = [
        (f"`{variable(name)}`", _shown(field.default), field.description or "")
        for name, field in Settings.model_fields.items()
    ]
    return table(("variable", "default", "meaning"), rows)


def _shown(default: object) -> str:
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, tuple):
        default = ",".join(map(str, default))
    return "empty" if default is None or default == "" else f"`{default}`"
