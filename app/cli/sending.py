"""`squad send`, `squad commands show`: ask for something, and learn what became of it."""

from typing import Annotated

import typer

from app.cli.output import Json, print_fields, print_json

app = typer.Typer()
commands = typer.Typer(help="Commands that were decided.", no_args_is_help=True)
app.add_typer(commands, name="commands")

Source = Annotated[str, typer.Option(help="CloudEvents source of the command.")]


@app.command()
def send(
    type_name: Annotated[str, typer.Argument(metavar="TYPE", help="Such as squad.create.v1.")],
    data: Annotated[str, typer.Argument(help="The command's data as JSON; - reads it from standard input.")],
    *,
    command_id: Annotated[str | None, typer.Option("--id", help="Its id; a new one where absent.")] = None,
    time: Annotated[str | None, typer.Option(help="Its time, RFC 3339; a retry repeats it. Default: now.")] = None,
    source: Source = "/squad-cli",
    wait_seconds: Annotated[float, typer.Option(help="Wait so long for the outcome.")] = 0,
    as_json: Json = False,
) -> None:
    """Send one command, checked against its schema before it leaves."""
    import asyncio
    import sys

    from app import commands as sent
    from app.settings import Settings

    text = sys.stdin.read() if data == "-" else data
    command = sent.build(type_name, text, command_id=command_id, time=time, source=source)
    answer = asyncio.run(sent.send(Settings.load(), command, wait_seconds=wait_seconds))
    print_json(answer) if as_json else print_fields(answer)
    if wait_seconds and "outcome" not in answer:
        typer.secho(f"no outcome within {wait_seconds:g} s", fg=typer.colors.RED, err=True)
        raise typer.Exit(1)


@commands.command("show")
def show(
    command_id: Annotated[str, typer.Argument(metavar="ID")],
    *,
    source: Source = "/squad-cli",
    as_json: Json = False,
) -> None:
    """Show what became of a command; exit code 1 when it was not decided yet."""
    import asyncio

    from app import commands as sent
    from app.settings import Settings

    answer = asyncio.run(sent.show(Settings.load(), source, command_id))
    if answer is None:
        typer.secho(f"no command {command_id} of {source} was decided", fg=typer.colors.RED, err=True)
        raise typer.Exit(1)
    print_json(answer) if as_json else print_fields(answer)
