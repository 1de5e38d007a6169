"""What counts as well, and what is said of what is not."""

import socket
from time import monotonic

import pytest

from app import wiring
from app.monitoring.readiness import read_readiness, silent
from app.settings import Settings, SettingsError
from app.wiring import Process


def test_silence_is_told_from_a_limit_on():
    assert silent("last answer", monotonic() - 5, within_seconds=10) is None
    assert silent("last answer", monotonic() - 21, within_seconds=10) == "last answer: 21 s ago"
    assert silent("last answer", None, within_seconds=10) == "last answer: never yet"


def test_parts_are_read_as_well_or_not():
    parts = {"database": lambda: "last answer: never yet", "group": lambda: None}

    assert {labels: value for _, value, labels in read_readiness(parts)} == {("database",): 0, ("group",): 1}


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
