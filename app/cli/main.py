"""Where `squad` begins: its commands, and what an error means for the exit code."""

import asyncio
import sys
from typing import Annotated

import typer

from app import logs
from app.cli import (
    checkpoints,
    controls,
    doctor,
    holds,
    parked,
    redriving,
    relay,
    running,
    seeding,
    sending,
    serving,
    setup,
    stack,
    status,
    tailing,
    upkeep,
)

app = typer.Typer(
    name="squad",
    help="Agent Squad's event-driven core: commands from Kafka become rows, events and outcomes.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for module in (
    stack,
    running,
    serving,
    status,
    checkpoints,
    controls,
    sending,
    seeding,
    tailing,
    setup,
    holds,
    redriving,
    parked,
    relay,
    doctor,
    upkeep,
):
    part: typer.Typer = module.app
    app.registered_commands += part.registered_commands
    app.registered_groups += part.registered_groups


def _tell_version(wanted: bool) -> None:  # noqa: FBT001 - as typer gives it
    if wanted:
        from importlib.metadata import version

        typer.echo(version("agent-squad"))
        raise typer.Exit


@app.callback()
def root(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Say which release this is.", callback=_tell_version, is_eager=True)
    ] = False,
) -> None:
    """Agent Squad's event-driven core: commands from Kafka become rows, events and outcomes."""


def main() -> None:
    """Run `squad`; exit codes: 0 done, 1 failed, 2 usage, 3 cannot reach a service, 4 cut short, 130 interrupted."""
    logs.quiet()
    try:
        app()
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit(130)
    except Exception as error:  # noqa: BLE001 - told in one line; what is unknown keeps its traceback
        sys.exit(_report(error))


def _report(error: BaseException) -> int:
    """Print an error as an operator needs it, and give the exit code."""
    from app.cli.faults import explain

    explained = explain(error)
    if explained is None:
        raise error
    text, exit_code = explained
    typer.secho(text, fg=typer.colors.RED, err=True)
    return exit_code
