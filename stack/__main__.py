"""`python -m stack start|stop|status`: kept instances for shell scripts; prints JSON."""

import argparse
import json
import os
import sys
from collections.abc import Sequence

import stack
from stack.instances import Instance, load_all
from stack.places import cache_directory
from stack.starting import Stack


def main(arguments: Sequence[str]) -> int:
    """Runs one command.

    Args:
        arguments: those of the command line, without the program's name.

    Returns:
        The exit code: 0 done, 1 not (the reason is on standard error), 130 interrupted.
    """
    parsed = _parser().parse_args(arguments)
    try:
        match parsed.command:
            case "start":
                found = stack.start(name=parsed.name, keep=True, benchmark=parsed.benchmark, progress=_tell)
                _print(_describe_stack(found))
            case "stop":
                _print({"name": parsed.name, "stopped": stack.stop(parsed.name)})
            case _:
                _print([_describe_instance(instance) for instance in load_all(cache_directory(os.environ))])
    except stack.StackError as error:
        _tell(str(error))
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m stack", description="PostgreSQL and Kafka on this machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    start = commands.add_parser("start", help="start an instance that outlives this command, or join it")
    start.add_argument("--benchmark", action="store_true", help="a broker that runs fast rather than starts fast")
    stop = commands.add_parser("stop", help="end an instance and remove its data")
    for command in (start, stop):
        command.add_argument("--name", required=True, help="which instance")
    commands.add_parser("status", help="all instances, running or not")
    return parser


def _describe_stack(found: Stack) -> dict[str, str]:
    return {
        "database_url": found.database_url,
        "bootstrap_servers": found.bootstrap_servers,
        "description": found.description,
    }


def _describe_instance(instance: Instance) -> dict[str, object]:
    return {
        "name": instance.name,
        "kind": instance.kind,
        "running": instance.is_running,
        "keep": instance.keep,
        "owner_pid": instance.owner.pid,
        "pids": {role: identity.pid for role, identity in instance.processes.items()},
        "ports": dict(instance.ports),
        "directory": str(instance.directory),
    }


def _print(value: object) -> None:
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def _tell(step: str) -> None:
    sys.stderr.write(f"{step}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
