"""Since when something fails, whatever was tried meanwhile."""

from dataclasses import dataclass
from time import monotonic


@dataclass(frozen=True, slots=True)
class Failing:
    """A row of failures without a success.

    Args:
        why: the first one, in words.
        since: when it was, by `time.monotonic`.
    """

    why: str
    since: float


def still_failing(before: Failing | None, error: Exception) -> Failing:
    """Give the row to which a failure belongs."""
    return before or Failing(f"{type(error).__name__}: {error}", monotonic())
