"""Readings in Prometheus' text, and the closed list that they come from."""

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.monitoring import exposition
from app.monitoring.names import METRICS, PHASES
from app.monitoring.readings import Reading
from db.distribution import Distribution


def test_every_name_is_exported_with_its_help_and_kind():
    page = exposition.render([]).decode()

    told = {each.name: (each.type, each.documentation) for each in text_string_to_metric_families(page)}
    assert told == {name.removesuffix("_total"): (each.kind, each.says) for name, each in METRICS.items()}


def test_values_come_with_their_labels():
    spread = Distribution((0.5, 2.5))
    for value in (0.1, 1, 2, 3):
        spread.note(value)
    readings = [Reading("squad_batch_seconds", spread), Reading("squad_retries_total", 3, ("clash",))]

    page = exposition.render(readings).decode()

    assert '\nsquad_retries_total{failure="clash"} 3.0\n' in page
    assert re.findall(r"^squad_batch_seconds_\S+ \S+$", page, re.M) == [
        'squad_batch_seconds_bucket{le="0.5"} 1.0',
        'squad_batch_seconds_bucket{le="2.5"} 3.0',
        'squad_batch_seconds_bucket{le="+Inf"} 4.0',
        "squad_batch_seconds_count 4.0",
        "squad_batch_seconds_sum 6.1",
    ]


def test_name_that_is_not_in_the_list_is_not_exported():
    with pytest.raises(KeyError, match="squad_surprises_total"):
        exposition.render([Reading("squad_surprises_total", 1)])


@pytest.mark.parametrize(
    "reading",
    [
        Reading("squad_retries_total", 1),
        Reading("squad_culprits_total", 1, ("one",)),
        Reading("squad_culprits_total", Distribution((1,))),
        Reading("squad_batch_seconds", 1),
    ],
)
def test_what_is_not_as_the_list_has_it_is_refused(reading):
    with pytest.raises(ValueError, match="is not read as the list of metrics has it"):
        exposition.render([reading])


@pytest.mark.parametrize("name", METRICS)
def test_names_follow_the_conventions(name):
    metric = METRICS[name]

    assert re.fullmatch(r"squad(_[a-z]+)+", name)
    assert name.endswith("_total") == (metric.kind == "counter")
    assert not re.search(r"milli|micro|_ms|percent|minutes", name)
    assert metric.says.endswith(".")
    assert not metric.labels.keys() & {"id", "key", "user", "squad", "command", "le"}


def test_there_are_few_values_of_each_label():
    assert max(len(values) for metric in METRICS.values() for values in metric.labels.values()) < 80
    assert len(PHASES) == len({*PHASES})
