"""What counts as well, and what is said of what is not."""

import asyncio
import json
import re
import socket
from contextlib import suppress
from dataclasses import replace
from time import monotonic

import pytest

from app import wiring
from app.controls import Controls
from app.monitoring import consuming
from app.monitoring.readiness import read_readiness, silent
from app.settings import Settings, SettingsError
from app.wiring import Process
from app.wiring.consumer import add_consumer
from consumers.breaker import Breaker, BreakerLimits, BreakerOpenError
from consumers.consumer import Consumer
from consumers.watchdog import Stall, Watchdog
from tests.making import TOPIC, FakeRecord
from tests.unit.monitoring.test_server import fetch


def test_silence_is_told_from_a_limit_on():
    assert silent("last answer", monotonic() - 5, within_seconds=10) is None
    assert silent("last answer", monotonic() - 21, within_seconds=10) == "last answer: 21 s ago"
    assert silent("last answer", None, within_seconds=10) == "last answer: never yet"


def test_parts_are_read_as_well_or_not():
    parts = {"database": lambda: "last answer: never yet", "group": lambda: None}

    assert {labels: value for _, value, labels in read_readiness(parts)} == {("database",): 0, ("group",): 1}


def test_open_breaker_is_told_with_what_opened_it():
    breaker = Breaker(limits=BreakerLimits(in_a_row=1))
    assert consuming.why_broken(breaker) is None
    for record in (FakeRecord(key=b"", value=b"", partition=3, offset=number) for number in range(2)):
        with suppress(BreakerOpenError), breaker.admitting([record], [record]):
            pass

    said = consuming.why_broken(breaker)
    assert said is not None
    assert said.startswith(f"{TOPIC}[3]: the last 1 records in a row")


async def test_port_that_is_taken_ends_the_process_with_the_settings_name():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = Settings(monitoring_port=taken.getsockname()[1])
        with pytest.raises(SettingsError, match="SQUAD_MONITORING_PORT: cannot listen on"):
            async with wiring.monitored(settings, "consumer", Process()):
                pass


async def test_without_a_port_nothing_is_opened(caplog):
    caplog.set_level("INFO")
    async with wiring.monitored(Settings(), "consumer", Process()):
        pass

    assert "metrics and health" not in caplog.text


async def test_client_that_stands_still_makes_the_process_not_ready_and_says_why(caplog, monkeypatch):
    """Red before the client is replaced, by `client`, and green when it gets on."""
    caplog.set_level("INFO")
    stall = [Stall("nothing is heard of squad.commands[3]", 31.0)]
    monkeypatch.setattr(Watchdog, "look_once", lambda *_: stall[0])
    settings, process = Settings(monitoring_port=0, consumer_stall_seconds=60), Process()
    async with wiring.open_database(settings) as database:
        controls = Controls(database=database, interval_seconds=1)
        add_consumer(process, settings, database, database, lambda: None, controls)
        [source] = {part._source for part in process.parts if isinstance(part, Consumer)}
        source._assignment.assign([])
        found = []
        async with wiring.monitored(settings, "consumer", process):
            [port] = re.findall(r"metrics and health at \S+ port (\d+)", caplog.text)
            for seconds in (29.0, 30.0, 0.0):
                stall[0] = replace(stall[0], seconds=seconds)
                source._succession.member.look_once([])
                status, body = await asyncio.to_thread(fetch, f"http://127.0.0.1:{port}/readyz")
                found.append((status, json.loads(body)["parts"]["client"]))
        await source._succession.member.close(seconds=1)
    assert found == [(200, "ok"), (503, "nothing is heard of squad.commands[3] for 30 s"), (200, "ok")]
