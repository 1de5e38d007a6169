"""Making an instance of a name, or joining the kept one, and ending it: the same for every kind."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stack import instances, processes
from stack.errors import StackError
from stack.instances import Instance
from stack.locks import hold_lock
from stack.places import cache_directory
from stack.ports import find_free_port


def claim(
    cache: Path, directory: Path, *, kind: str, keep: bool, options: Mapping[str, Any], ports: Sequence[str]
) -> Instance:
    """Give the kept instance of this name, or a new one, on record before anything of it is started.

    Call it under `hold_lock(cache, "instances")`.

    Args:
        cache: the cache directory.
        directory: the instance's.
        kind: how its servers are to run.
        keep: whether it is to outlive this process.
        options: how its servers are set up; a kept instance stays as it was set up.
        ports: what it needs ports for.

    Raises:
        StackError: the name is in use, elsewhere, or by a kept instance of another kind.
    """
    existing = instances.load(directory)
    if existing is None:
        return _create(cache, directory, kind=kind, keep=keep, options=options, ports=ports)
    _require_here(existing)
    if not existing.keep:
        raise StackError(
            f"The stack {existing.name!r} is in use by process {existing.owner.pid}. "
            "Choose another name, or end that process: the next start then tidies up."
        )
    if existing.kind != kind:
        raise StackError(
            f"The stack {existing.name!r} is there already and is {existing.kind}, not {kind}. "
            f"Stop it first (`squad down`), or say SQUAD_STACK={existing.kind}."
        )
    return existing


def stop_instance(*, name: str, environment: Mapping[str, str]) -> bool:
    """Ends the instance of this name, kept or not, and removes its data.

    Args:
        name: which instance.
        environment: the process environment.

    Returns:
        Whether there was one.

    Raises:
        StackError: it runs on another machine or in another container, or its containers cannot be ended.
    """
    cache = cache_directory(environment)
    directory = instances.directory_of(cache, name)
    with hold_lock(cache, f"instance-{name}"):
        instance = instances.load(directory)
        if instance is None:
            return False
        _require_here(instance)
        instance.remove()
    return True


def _create(
    cache: Path, directory: Path, *, kind: str, keep: bool, options: Mapping[str, Any], ports: Sequence[str]
) -> Instance:
    taken = {port for other in instances.load_all(cache) for port in other.ports.values()}
    found: dict[str, int] = {}
    for purpose in ports:
        found[purpose] = find_free_port(taken=taken | set(found.values()))
    directory.mkdir()
    instance = Instance(
        directory=directory,
        place=processes.own_place(),
        owner=processes.own_identity(),
        keep=keep,
        kind=kind,
        ports=found,
        options=options,
    )
    instance.save()
    return instance


def _require_here(instance: Instance) -> None:
    if not instance.is_here:
        raise StackError(
            f"The stack {instance.name!r} belongs to another machine or container that shares {instance.directory}. "
            "Choose another name, or stop it there."
        )
