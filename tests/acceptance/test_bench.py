"""One short iteration of each benchmark, so that none rots."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

import stack as stacks
from bench.programs import PROGRAMS
from messages.registry import COMMANDS
from tests.conftest import skip_without_a_real_kafka

Results = dict[str, Any]


@pytest.fixture(scope="module")
def results(stack: stacks.Stack, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Results]:
    """What all of them found, in one process and on the servers that the other tests have."""
    skip_without_a_real_kafka(stack, "keeping what a benchmark sends")
    directory = tmp_path_factory.mktemp("results")
    servers = {"SQUAD_DATABASE_URL": stack.database_url, "SQUAD_KAFKA_BOOTSTRAP_SERVERS": stack.bootstrap_servers}
    done = subprocess.run(
        [sys.executable, "-m", "bench.all", "--short", "--directory", str(directory)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **servers},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return {path.stem: json.loads(path.read_text()) for path in directory.iterdir()}


def check_way(found: Results) -> None:
    [one] = found["rounds"]
    assert one["consumer"]["counts"]["applied"] == found["sizes"]["commands"] == 2_000
    assert one["consumer"]["processor_microseconds"]["consumer"] > 0
    assert one["relay"]["events"] == one["consumer"]["counts"]["event"] + 2_000 == 4_000
    assert all((each.get("commands_per_second") or each["events_per_second"]) > 0 for each in one.values())


def check_mix(found: Results) -> None:
    [one] = found["rounds"]
    assert one["all types"]["types"].keys() == found["load"]["weights"].keys() == COMMANDS.keys()
    assert sum(sum(each.values()) for each in one["all types"]["types"].values()) == found["sizes"]["commands"]
    assert one["way"]["counts"]["applied"] >= 0.99 * found["sizes"]["commands"]


def check_peers(found: Results) -> None:
    [one] = found["rounds"]
    peers = {name: each for name, each in one.items() if name not in {"consumer", "relay"}}
    assert {name: each["status"] for name, each in peers.items()} == dict.fromkeys(peers, "measured")
    assert {each["events"] for each in one.values() if "events" in each} == {3_000}
    assert len(peers) == 4


def check_latency(found: Results) -> None:
    [one] = found["rounds"]
    for name in ("floor at 200/s", "service at 200/s", "floor at half of capacity", "service at half of capacity"):
        assert one[name]["seen"] == one[name]["sent"] > 0
        assert 0 < one[name]["p50_seconds"] <= one[name]["p99_seconds"]


def check_memory(found: Results) -> None:
    assert found["samples"][-1]["decided"] == 2_000 + 2
    assert all(size > 10 for each in found["samples"] for size in each["megabytes"].values())


def check_kept(found: Results) -> None:
    [one] = found["rounds"]
    assert {each["events"] for each in one.values()} == {1_000}


def check_horizon(found: Results) -> None:
    assert found["held_transactions"] > 10
    assert len(found["held"]) > found["sizes"]["drains"]


def check_growth(found: Results) -> None:
    assert len(found["curves"]) == 6
    assert all(each["microseconds"] for curve in found["curves"].values() for each in curve["points"])


def check_scaling(found: Results) -> None:
    [one] = found["rounds"]
    assert set(one) == {"one", "two"}


def check_idle(found: Results) -> None:
    [one] = found["rounds"]
    assert one["percent_of_a_core"].keys() >= {"consumer", "relay"}


def check_cold(found: Results) -> None:
    assert len(found["help_seconds"]) == len(found["first_command_seconds"]) == 1


def check_inserting(found: Results) -> None:
    assert set(found["milliseconds"]) == {"an array a column", "an array of rows", "COPY"}


def check_claims(found: Results) -> None:
    [one] = found["rounds"]
    assert len(one["reads_per_second"]) == 3
    assert all(rate > 0 for rate in one["reads_per_second"].values())
    assert all(
        0 < each["p50"] <= each["p99"] for sides in one["delay_milliseconds"].values() for each in sides.values()
    )
    assert [each["statements"] for each in one["inserts"].values()] == [1, 1, found["sizes"]["members"]]
    assert {name: each["statements"] for name, each in one["loads"].items()} == {"eager": 3, "lazy": 1 + 2 * 10}
    assert one["loads"]["eager"]["rows"] == one["loads"]["lazy"]["rows"] == 10 * (1 + 5 + 2)


def check_copies(found: Results) -> None:
    [one] = found["rounds"]
    assert all(one[each] > 0 for each in ("template", "copy", "drop"))


CHECKS: dict[str, Callable[[Results], None]] = {
    name.removeprefix("check_"): check for name, check in list(globals().items()) if name.startswith("check_")
}


# The first waits for all of them, which on a busy machine takes its time.
@pytest.mark.timeout(400)
@pytest.mark.parametrize("name", [program.name for program in PROGRAMS])
def test_it_measures(name: str, results: dict[str, Results]) -> None:
    CHECKS[name](results[name])

    assert results[name]["settings"]["PostgreSQL fsync"] == "on"
    assert results[name]["commit"]
