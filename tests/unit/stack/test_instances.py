"""State files, and the sweep of what dead owners left, with `sleep` in the place of servers."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stack import StackError, processes
from stack.instances import Instance, directory_of, instances_directory, load, load_all, sweep


@pytest.fixture
def launch_sleep(tmp_path):
    """Launches stand-ins for servers and ends what is left of them."""
    launched = []

    def launch():
        identity = processes.launch(
            ["/bin/sleep", "60"], log_path=tmp_path / "log", directory=tmp_path, environment={}, account=None
        )
        launched.append(identity)
        return identity

    yield launch
    for identity in launched:
        processes.end(identity, politely=None, patience_seconds=0)


@pytest.fixture(scope="module")
def dead_owner():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as owner:
        identity = processes.identify(owner.pid)
        assert identity is not None
        owner.kill()
    return identity


def add_instance(cache: Path, name: str, **changes: Any) -> Instance:
    directory = directory_of(cache, name)
    directory.mkdir()
    defaults: dict[str, Any] = {
        "place": processes.own_place(),
        "owner": processes.own_identity(),
        "keep": False,
        "ready": True,
        "ports": {"postgres": 20001},
        "options": {"kafka_heap_mib": 512},
    }
    instance = Instance(directory=directory, **{**defaults, **changes})
    instance.save()
    return instance


def test_an_instance_is_read_back_as_it_was_written(tmp_path, launch_sleep):
    instance = add_instance(tmp_path, "demo", keep=True)
    instance.record_process("kafka", launch_sleep())

    assert load(instance.directory) == instance
    assert [found.name for found in load_all(tmp_path)] == ["demo"]


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"owner": 1}'])
def test_a_state_file_that_cannot_be_read_is_no_instance(tmp_path, content):
    instance = add_instance(tmp_path, "demo")
    (instance.directory / "state.json").write_text(content)

    assert load(instance.directory) is None


@pytest.mark.parametrize("name", ["", "..", ".hidden", "a/b", "a b", "x" * 65])
def test_a_name_that_is_no_directory_is_refused(tmp_path, name):
    with pytest.raises(StackError, match="no name for a stack"):
        directory_of(tmp_path, name)


def test_sweep_ends_the_processes_of_a_dead_owner_and_removes_its_directory(tmp_path, launch_sleep, dead_owner):
    instance = add_instance(tmp_path, "left", owner=dead_owner)
    servers = [launch_sleep(), launch_sleep()]
    instance.record_process("postgres", servers[0])
    instance.record_process("kafka", servers[1])

    assert sweep(tmp_path) == ["left"]

    assert [processes.is_alive(server) for server in servers] == [False, False]
    assert list(instances_directory(tmp_path).iterdir()) == []


def test_sweep_leaves_the_instance_of_a_living_owner(tmp_path, launch_sleep):
    instance = add_instance(tmp_path, "used")
    instance.record_process("kafka", launch_sleep())

    assert sweep(tmp_path) == []

    assert instance.is_running
    assert load(instance.directory) == instance


def test_sweep_leaves_a_kept_instance_whose_owner_died(tmp_path, launch_sleep, dead_owner):
    instance = add_instance(tmp_path, "up", owner=dead_owner, keep=True)
    instance.record_process("kafka", launch_sleep())

    assert sweep(tmp_path) == []

    assert instance.is_running


def test_sweep_ends_an_instance_to_be_kept_whose_owner_died_before_it_was_ready(tmp_path, launch_sleep, dead_owner):
    instance = add_instance(tmp_path, "up", owner=dead_owner, keep=True, ready=False)
    server = launch_sleep()
    instance.record_process("kafka", server)

    assert sweep(tmp_path) == ["up"]

    assert not processes.is_alive(server)


def test_sweep_takes_an_owner_for_dead_whose_pid_another_process_has_now(tmp_path):
    recycled = replace(processes.own_identity(), started="earlier")
    add_instance(tmp_path, "left", owner=recycled)

    assert sweep(tmp_path) == ["left"]


def test_sweep_never_ends_a_process_that_only_has_the_pid_of_a_server(tmp_path, launch_sleep, dead_owner):
    stranger = launch_sleep()
    instance = add_instance(tmp_path, "left", owner=dead_owner)
    instance.record_process("kafka", replace(stranger, started="earlier"))

    assert sweep(tmp_path) == ["left"]

    assert processes.is_alive(stranger)


def test_sweep_leaves_instances_of_another_container_whose_pids_mean_nothing_here(tmp_path, dead_owner):
    instance = add_instance(tmp_path, "theirs", owner=dead_owner, place="another-machine/pid:[1]")

    assert sweep(tmp_path) == []

    assert instance.directory.exists()


def test_sweep_removes_what_cut_off_starts_and_removals_left(tmp_path):
    directory_of(tmp_path, "no-state").mkdir()
    hidden = instances_directory(tmp_path) / ".gone"
    hidden.mkdir()
    (hidden / "state.json").write_text(json.dumps({}))

    sweep(tmp_path)

    assert list(instances_directory(tmp_path).iterdir()) == []


def test_an_instance_with_one_dead_server_does_not_count_as_running(tmp_path, launch_sleep):
    instance = add_instance(tmp_path, "up", keep=True)
    instance.record_process("postgres", launch_sleep())
    instance.record_process("kafka", launch_sleep())
    assert instance.is_running

    instance.end_process("kafka", politely=None)

    assert not instance.is_running
    assert instance.pid_of("kafka") is None
    assert instance.pid_of("postgres") is not None
