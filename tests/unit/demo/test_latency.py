"""The percentiles of what was measured."""

import math

import pytest

from app.demo.latency import summarise


def test_percentiles_are_of_the_nearest_rank() -> None:
    latency = summarise([number / 1000 for number in range(100, 0, -1)], rate=200, sent=100)

    assert latency.p50_seconds == pytest.approx(0.050)
    assert latency.p99_seconds == pytest.approx(0.099)
    assert latency.most_seconds == pytest.approx(0.100)


def test_command_whose_event_never_came_took_for_ever() -> None:
    latency = summarise([0.01] * 98, rate=200, sent=100)

    assert (latency.sent, latency.seen) == (100, 98)
    assert latency.p50_seconds == pytest.approx(0.01)
    assert math.isinf(latency.p99_seconds)
