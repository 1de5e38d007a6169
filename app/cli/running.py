"""`squad run`, `squad consume`, `squad health`: the long-lived processes."""

from typing import Annotated, Literal

import typer

from app.cli.output import Json, print_json

app = typer.Typer()


def run_process(kind: Literal["consumer", "relay", "all"]) -> None:
    """Run a process of a kind until it is told to stop."""
    import asyncio

    from app.ending import Ending

    ending = Ending()
    with ending.listening():
        from app import life, logs
        from app.settings import Settings

        logs.configure()
        settings = Settings.load()
        ending.seconds = settings.shutdown_seconds
        asyncio.run(life.run(settings, kind, ending))


@app.command()
def run() -> None:
    """Run consumer and relay in one process, until SIGTERM or Ctrl-C; a second one ends it at once."""
    run_process("all")


@app.command()
def consume() -> None:
    """Run a consumer, until SIGTERM or Ctrl-C: batches under way are finished. A second one ends it at once."""
    run_process("consumer")


@app.command()
def health(
    kind: Annotated[Literal["consumer", "relay", "all", "api"], typer.Argument(help="Which process.")],
    *,
    max_age_seconds: Annotated[float, typer.Option(help="How old the last heartbeat may be.")] = 15,
    as_json: Json = False,
) -> None:
    """Exit with 0 when a process of this kind on this host described itself lately (for container health checks).

    An `api` is asked for `/healthz`, where SQUAD_MONITORING_PORT says.
    """
    if kind == "api":
        _tell_health_of_api(as_json=as_json)
        return
    import asyncio

    from app import life
    from app.settings import Settings

    age = asyncio.run(life.heartbeat_age(Settings.load(), kind))
    healthy = age is not None and age <= max_age_seconds
    if as_json:
        print_json({"kind": kind, "healthy": healthy, "heartbeat_age_seconds": age})
    else:
        typer.echo("no heartbeat" if age is None else f"last heartbeat {age:.1f} s ago")
    if not healthy:
        raise typer.Exit(1)


def _tell_health_of_api(*, as_json: bool) -> None:
    from app.monitoring.asking import why_ill
    from app.settings import Settings

    ill = why_ill(Settings.load())
    if as_json:
        print_json({"kind": "api", "healthy": ill is None, "said": ill})
    else:
        typer.echo(ill or "it lives")
    if ill is not None:
        raise typer.Exit(1)
