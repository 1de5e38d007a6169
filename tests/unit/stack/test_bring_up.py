"""Starting several servers at once: all are ready, or all are given up."""

import os
import signal
import threading
from collections.abc import Callable

import pytest

from stack import StackError
from stack.bring_up import start_servers


class ReadyServer:
    def start(self, *, is_cancelled: Callable[[], bool]) -> None:
        pass


class FailingServer:
    def start(self, *, is_cancelled: Callable[[], bool]) -> None:
        raise StackError("no space left")


class EndlessServer:
    """Never ready; ends its start when it is given up."""

    def __init__(self) -> None:
        self.given_up = False
        self.started = threading.Event()

    def start(self, *, is_cancelled: Callable[[], bool]) -> None:
        self.started.set()
        while not is_cancelled():
            threading.Event().wait(0.01)
        self.given_up = True
        raise StackError("given up")


class SignallingServer:
    """Stands for a person who ends us while the other server starts."""

    def __init__(self, number: signal.Signals, *, after: threading.Event) -> None:
        self._number = number
        self._after = after

    def start(self, *, is_cancelled: Callable[[], bool]) -> None:
        assert self._after.wait(timeout=10)
        os.kill(os.getpid(), self._number)
        while not is_cancelled():
            threading.Event().wait(0.01)


def test_progress_tells_of_each_server_that_is_ready():
    steps: list[str] = []

    start_servers({"PostgreSQL": ReadyServer(), "Kafka": ReadyServer()}, progress=steps.append)

    assert steps[0] == "starting PostgreSQL and Kafka"
    assert sorted(steps[1:]) == ["Kafka is ready", "PostgreSQL is ready"]


def test_when_one_fails_the_other_is_given_up_and_the_failure_is_told():
    endless = EndlessServer()

    with pytest.raises(StackError, match="no space left"):
        start_servers({"Kafka": endless, "PostgreSQL": FailingServer()}, progress=lambda _step: None)

    assert endless.given_up


@pytest.mark.parametrize(
    ("number", "expected"), [(signal.SIGTERM, SystemExit), (signal.SIGINT, KeyboardInterrupt)], ids=["term", "int"]
)
def test_a_signal_gives_up_every_start_before_it_is_raised(number, expected):
    endless = EndlessServer()
    before = signal.getsignal(signal.SIGTERM)

    with pytest.raises(expected):
        start_servers(
            {"Kafka": endless, "person": SignallingServer(number, after=endless.started)}, progress=lambda _step: None
        )

    assert endless.given_up
    assert signal.getsignal(signal.SIGTERM) == before
