"""How a setting is called in the environment."""

from typing import Final

PREFIX: Final = "SQUAD_"
"""Of every variable."""


def variable(field: str) -> str:
    """Give the environment variable of a setting."""
    return PREFIX + field.upper()
