"""Processes are known by pid and start time, and are really gone when we say so."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from stack import processes


@pytest.fixture
def launch(tmp_path):
    """Launches shell scripts and ends what is left of them."""
    launched = []

    def launch_script(script):
        identity = processes.launch(
            ["/bin/sh", "-c", script],
            log_path=tmp_path / "log",
            directory=tmp_path,
            environment={"PATH": os.environ["PATH"]},
            account=None,
        )
        launched.append(identity)
        return identity

    yield launch_script
    for identity in launched:
        processes.end(identity, politely=None, patience_seconds=0)


def wait_for_output(path: Path, text: str) -> None:
    deadline = time.monotonic() + 10
    while text not in path.read_text():
        assert time.monotonic() < deadline, f"{text!r} never appeared in {path}"
        time.sleep(0.01)


def test_a_launched_process_has_a_session_of_its_own_so_that_ctrl_c_passes_it_by(launch):
    identity = launch("exec sleep 60")

    assert os.getsid(identity.pid) == identity.pid != os.getsid(0)


def test_the_same_pid_with_another_start_is_another_process(launch):
    identity = launch("exec sleep 60")

    assert processes.is_alive(identity)
    assert not processes.is_alive(replace(identity, started=f"{identity.started}0"))


def test_ending_somebody_elses_pid_does_nothing(launch):
    identity = launch("exec sleep 60")

    processes.end(replace(identity, started="earlier"), politely=signal.SIGTERM, patience_seconds=5)

    assert processes.is_alive(identity)


def test_a_zombie_counts_as_gone():
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)

        assert psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE
        assert processes.identify(child.pid) is None


def test_a_process_that_ends_when_asked_can_put_its_things_in_order(launch, tmp_path):
    identity = launch("trap 'echo tidied; exit' TERM; echo up; while :; do sleep 0.02; done")
    wait_for_output(tmp_path / "log", "up")

    processes.end(identity, politely=signal.SIGTERM, patience_seconds=10)

    assert not processes.is_alive(identity)
    assert "tidied" in (tmp_path / "log").read_text()


def test_a_process_that_does_not_listen_is_killed_when_patience_is_over(launch, tmp_path):
    identity = launch("trap '' TERM; echo up; while :; do sleep 0.02; done")
    wait_for_output(tmp_path / "log", "up")

    processes.end(identity, politely=signal.SIGTERM, patience_seconds=0.1)

    assert not processes.is_alive(identity)


def test_descendants_that_stay_behind_are_ended_too(launch, tmp_path):
    identity = launch("setsid sleep 60 & echo child $!; wait")
    wait_for_output(tmp_path / "log", "child")
    (child,) = psutil.Process(identity.pid).children()

    processes.end(identity, politely=None, patience_seconds=0)

    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_a_program_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(OSError, match="no-such-program"):
        processes.launch(
            ["/no-such-program"], log_path=tmp_path / "log", directory=tmp_path, environment={}, account=None
        )
