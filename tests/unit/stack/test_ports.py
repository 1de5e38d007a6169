"""Free ports."""

import socket
from pathlib import Path

import pytest

from stack import ports


def test_a_free_port_can_be_listened_on_and_lies_below_those_of_outgoing_connections():
    port = ports.find_free_port()

    with socket.create_server((ports.LOOPBACK, port)):
        pass
    limits = Path("/proc/sys/net/ipv4/ip_local_port_range")
    if limits.exists():
        assert port < int(limits.read_text().split()[0])


def test_a_port_in_use_or_promised_is_not_given(monkeypatch):
    lowest = ports.find_free_port()
    with socket.create_server((ports.LOOPBACK, lowest)):
        monkeypatch.setattr("stack.ports.random.randint", lambda _low, _high: lowest)
        with pytest.raises(OSError, match="no free port"):
            ports.find_free_port()

    assert ports.find_free_port() == lowest
    with pytest.raises(OSError, match="no free port"):
        ports.find_free_port(taken={lowest})


def test_waiting_ends_when_it_became_hopeless():
    asked = []

    def is_ready():
        asked.append(1)
        return False

    became_ready = ports.wait_until(
        is_ready, is_hopeless=lambda: len(asked) == 3, timeout_seconds=60, pause_seconds=0.001
    )

    assert not became_ready
    assert len(asked) == 3
