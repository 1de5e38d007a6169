"""Readings in the text that Prometheus reads; the one module that knows its client library."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.core import Metric as Family
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from app.monitoring.names import METRICS, Metric
from app.monitoring.readings import Reading
from db.distribution import Distribution

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4


def render(readings: Iterable[Reading]) -> bytes:
    """Write readings out; every name of the list has its line of help, read or not.

    Raises:
        KeyError: a reading has a name that is not in the list.
        ValueError: one does not have the labels or the kind of value that the list says.
    """
    found: dict[str, list[Reading]] = {name: [] for name in METRICS}
    for each in readings:
        found[each.name].append(each)
    registry = CollectorRegistry()
    registry.register(_Readings([_family(METRICS[name], read) for name, read in found.items()]))
    return generate_latest(registry)


class _Readings(Collector):
    def __init__(self, families: Sequence[Family]) -> None:
        self._families = families

    def collect(self) -> Iterator[Family]:
        yield from self._families


def _family(metric: Metric, readings: Sequence[Reading]) -> Family:
    labels = list(metric.labels)
    family: CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily
    match metric.kind:
        case "counter":
            family = CounterMetricFamily(metric.name, metric.says, labels=labels)
        case "gauge":
            family = GaugeMetricFamily(metric.name, metric.says, labels=labels)
        case "histogram":
            family = HistogramMetricFamily(metric.name, metric.says, labels=labels)
    for each in readings:
        if len(each.labels) != len(labels) or isinstance(each.value, Distribution) != (metric.kind == "histogram"):
            raise ValueError(f"{metric.name} is not read as the list of metrics has it")
        if isinstance(family, HistogramMetricFamily) and isinstance(each.value, Distribution):
            family.add_metric(each.labels, _buckets(each.value), each.value.sum)
        elif not isinstance(family, HistogramMetricFamily) and not isinstance(each.value, Distribution):
            family.add_metric(each.labels, each.value)
    return family


def _buckets(spread: Distribution) -> list[tuple[str, float]]:
    """Give bounds and counts as Prometheus has them: each with all below it."""
    bounds = [*(f"{bound:g}" for bound in spread.bounds), "+Inf"]
    return list(zip(bounds, map(float, accumulate(spread.counts)), strict=True))
