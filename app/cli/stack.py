"""`squad demo`, `squad up`, `squad down`: everything at once on this machine."""

from collections.abc import Mapping
from typing import Annotated

import typer

from app.cli.output import Json, print_json

app = typer.Typer()

KEPT = "up"
"""The name of the servers that `squad up` leaves running."""


@app.command()
def demo(
    *,
    commands: Annotated[
        int | None,
        typer.Option(min=100, help="Records to send before the latency is measured; 20,000, or 2,000 where embedded."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of every choice: the same seed sends the same.")] = 1,
    rate: Annotated[float, typer.Option(min=1, help="Commands/s while the latency is measured.")] = 200,
    latency_seconds: Annotated[float, typer.Option(min=0.1, help="For how long.")] = 5,
    as_json: Json = False,
) -> None:
    """Send commands through servers of its own, and check what became of them; exit code 1 when anything is wrong."""
    import os

    from rich.console import Console

    from app.demo import summary
    from app.demo.processes import DemoError, sigterm_as_interrupt
    from app.demo.report import Report
    from app.demo.results import Options
    from app.demo.run import run
    from app.settings import Settings

    options = Options(commands=commands, seed=seed, rate=rate, latency_seconds=latency_seconds)
    report = Report(Console(stderr=as_json))
    try:
        with sigterm_as_interrupt():
            result = run(options, settings=Settings.load(), environment=os.environ, report=report)
    except DemoError as failed:
        typer.secho(str(failed), fg=typer.colors.RED, err=True)
        raise typer.Exit(1) from None
    print_json(summary.as_json(result)) if as_json else summary.print_table(result, report.console)
    if not result.verdict.passed:
        raise typer.Exit(1)


@app.command()
def up(*, as_json: Json = False) -> None:
    """Start PostgreSQL and Kafka, or find them running, and make schema and topics; `squad down` ends them."""
    import stack
    from app.demo.ground import needs_of, prepare
    from app.settings import Settings, variable

    servers = stack.start(name=KEPT, keep=True, progress=lambda step: typer.echo(step, err=True))
    needs = needs_of(servers)
    prepare(Settings.load().model_copy(update=needs))
    environment = {variable(name): str(value) for name, value in needs.items()}
    if as_json:
        print_json({"environment": environment, "description": servers.description})
    else:
        typer.echo(_how_to_talk(environment))


@app.command()
def down(*, as_json: Json = False) -> None:
    """End what `squad up` started, and remove its data."""
    import stack

    stopped = stack.stop(KEPT)
    if as_json:
        print_json({"stopped": stopped})
    else:
        typer.echo("stopped, and its data removed" if stopped else "nothing to stop: `squad up` left nothing running")


def _how_to_talk(environment: Mapping[str, str]) -> str:
    """Give lines for a shell: where the servers are, and what to try."""
    import shlex

    user, squad = "018f5f0e-0000-7000-8000-000000000001", "018f5f0e-0000-7000-8000-000000000002"
    register = f'{{"user_id": "{user}", "email": "ada@example.org", "name": "Ada"}}'
    create = f'{{"squad_id": "{squad}", "user_id": "{user}", "name": "First", "roles": ["developer"]}}'
    return "\n".join(
        [
            *(f"export {name}={shlex.quote(value)}" for name, value in environment.items()),
            "",
            "# consumer and relay in one process; leave it running and go on in another terminal",
            "squad run",
            "# a command, and what became of it",
            f"squad send user.register.v1 {shlex.quote(register)} --wait-seconds 10",
            f"squad send squad.create.v1 {shlex.quote(create)} --wait-seconds 10",
            "# what happened",
            "squad events tail --from-beginning --to-end",
            "squad outcomes tail --from-beginning --to-end",
            "# the end",
            "squad down",
        ]
    )
