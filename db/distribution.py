"""How values are spread: plain numbers that a long-lived part keeps for whoever shows them."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Bounds for how long something in front of a database or a broker takes."""

ROWS: Final = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 2000.0, 5000.0)
"""Bounds for how many something takes at once."""


class Distribution:
    """Counts values by upper bounds.

    Args:
        bounds: ascending; what is above the last is counted too.
    """

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(bounds) + 1)
        """How many values were at most each bound and above the one before it; the last: above all."""
        self.sum = 0.0

    def note(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    @property
    def count(self) -> int:
        """How many values there were."""
        return sum(self.counts)
