"""What is read of a part for the metrics: plain values under the names of the closed list."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from db.distribution import Distribution


class Reading(NamedTuple):
    """A value of one metric.

    Args:
        name: one of `app.monitoring.names`.
        value: a number, or how values are spread.
        labels: the labels' values, in the order of the metric's labels.
    """

    name: str
    value: float | Distribution
    labels: tuple[str, ...] = ()


Reader = Callable[[], Iterable[Reading]]
"""Reads a part; it only looks at attributes, and waits for nothing."""
