"""What is made of figures, and what is said where there are none."""

import sys
from datetime import UTC, datetime

import pytest

from bench import flood, growth, horizon, latency, memory, way
from bench.__main__ import menu
from bench.ground import SOURCE
from bench.peers import contest, environments, measuring
from bench.peers.environments import NotInstalledError
from bench.programs import PROGRAMS
from domain.commands import CreateProject
from messages.codec import encode_command


async def test_a_peer_that_cannot_be_installed_is_named_with_the_reason(monkeypatch):
    def refuse(peer: str) -> None:
        raise NotInstalledError(f"no such thing as {peer}")

    monkeypatch.setattr(measuring, "python_of", refuse)

    assert await measuring.run_peer("txoutbox", {}) == {"status": "not installed: no such thing as txoutbox"}


async def test_a_peer_that_fails_is_named_with_the_reason(monkeypatch):
    monkeypatch.setattr(measuring, "python_of", lambda _: sys.executable)

    found = await measuring.run_peer("txoutbox", {})

    assert found == {"status": "failed: ModuleNotFoundError: No module named 'txoutbox'"}


def test_a_peer_without_figures_has_no_ratio_and_meets_nothing():
    ours = {"consumer": {"commands_per_second": 9.0}, "relay": {"events_per_second": 9.0}}
    broken = {name: {"status": "failed: it"} for name, _ in (*contest.CONSUMERS, *contest.RELAYS)}

    rows = contest.rows({"rounds": [ours | broken]})

    assert {row.measured for row in rows} == {"failed: it"}
    assert {row.met for row in rows} == {None}


@pytest.mark.parametrize("peer", ["faststream", "txoutbox", "faststream_outbox"])
def test_what_a_peer_needs_is_pinned_with_hashes_and_names_no_host(peer):
    text = (environments.PEERS / peer / "requirements.txt").read_text()

    assert "==" in text
    assert all("--hash=sha256:" in each for each in text.replace("\\\n", "").splitlines())
    assert "://" not in text


def test_growth_of_memory_is_the_slope_over_the_last_two_thirds():
    samples = [{"decided": each, "megabytes": {"relay": 500 if each < 30 else 100 + each}} for each in range(91)]

    assert memory.growth(samples, "relay") == pytest.approx(60)
    assert [row.met for row in memory.rows({"samples": samples, "sizes": {"commands": 90}})] == [False, False]


def test_the_held_horizon_is_compared_with_before_and_after():
    [row] = horizon.rows(
        {"sizes": {"drains": 2, "minutes": 1}, "held": [1, 90, 40], "without": [80, 40], "again": [120, 60]}
    )

    assert (row.median, row.worst, row.met) == ("0.85 x", "0.80 x", False)


def test_latency_is_compared_within_a_round():
    def at(p50: float, p99: float) -> dict[str, float]:
        return {"p50_seconds": p50, "p99_seconds": p99, "most_seconds": p99}

    one = {
        "capacity_per_second": 5000.0,
        "floor at 200/s": at(0.002, 0.004),
        "service at 200/s": at(0.008, 0.02),
        "service at half of capacity": at(0.01, 0.1),
    }

    assert [(row.median, row.met) for row in latency.rows({"rounds": [one]})] == [
        ("4.00 x", False),
        ("5.00 x", True),
        ("5.00 x", False),
    ]
    details = latency.details({"rounds": [one], "stages": {"to the broker": 1.5}})
    assert "5,000 commands/s" in details
    assert "to the broker | 1.5 ms" in details


def test_processor_times_say_how_much_room_there_is():
    one = {
        "consumer": {"commands_per_second": 10_000.0, "processor_microseconds": {"consumer": 60.0, "PostgreSQL": 40.0}},
        "guide": {"commands_per_second": 300.0},
    }

    said = way.bound({"cores": 2, "rounds": [one]})

    assert "room for 20,000 commands/s, of which the consumer reached 50%" in said
    assert "would be 18,000/s" in said


def test_growth_shows_first_beside_last_and_a_curve():
    points = [{"size": size, "microseconds": [cost]} for size, cost in ((10, 1.0), (100, 4.0), (1000, 8.0))]
    results = {"curves": {"squads": {"unit": "command", "points": points}}}

    [row] = growth.rows(results)

    assert (row.what, row.median) == ("cost of one command, squads: 1,000, beside 10", "8.00 x")
    assert "▂▅█" in growth.details(results)


def test_templates_give_what_the_codec_gives():
    command = CreateProject(squad_id=flood.squad_id(7), project_id=flood.squad_id(8), name="Project")
    [(key, value, headers)] = flood.create_projects([flood.squad_id(7)], name="test")

    wanted = encode_command(command, command_id="test-0", source=SOURCE, time=datetime.now(UTC))

    assert key == wanted[0]
    assert len(value) == len(wanted[1])
    assert [name for name, _ in headers] == [name for name, _ in wanted[2]]
    assert dict(headers)["ce_id"] == b"test-0"


def test_ids_of_many_squads_differ():
    assert len({flood.squad_id(number) for number in range(5_000)}) == 5_000


def test_the_menu_names_every_benchmark():
    assert [line.split()[2] for line in menu().splitlines()] == [*(each.module for each in PROGRAMS), "bench.all"]
