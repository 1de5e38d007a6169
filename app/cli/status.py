"""`squad status`: what runs, how far it is, what waits, and what wants somebody's attention."""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from app.cli.output import Json, print_json, print_table

if TYPE_CHECKING:
    from app.settings import Settings
    from db.database import Database

app = typer.Typer()

_LEFT_OUT: Final = {"why", "since", "started_at", "last_error", "epoch", "lease_until"}
"""What only --json has in its tables: it would not fit a terminal, or stands above them."""

_CLEAR: Final = "\033[2J\033[H"
"""What empties a terminal."""


@app.command()
def status(
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Show it again and again, until Ctrl-C.")] = False,
    interval_seconds: Annotated[float, typer.Option(help="With --watch: between two looks.", min=0.1)] = 2,
    kafka_seconds: Annotated[float, typer.Option(help="How long the brokers may take to answer.", min=0.1)] = 5,
    as_json: Json = False,
) -> None:
    """Show processes, partitions with their lag, shards of the outbox, dead letters, pauses, from any machine.

    Exit code 0 when it could be shown, whatever it shows; 3 when PostgreSQL cannot be reached. Where Kafka cannot be
    reached, the rest is shown.
    """
    import asyncio

    from app import wiring
    from app.settings import Settings

    async def run() -> None:
        settings = Settings.load()
        async with wiring.open_database(settings, pool_size=1) as database:
            if not watch:
                _show(await _look(settings, database, kafka_seconds), as_json=as_json)
                return
            while True:
                await _show_again(settings, database, kafka_seconds, as_json=as_json)
                await asyncio.sleep(interval_seconds)

    asyncio.run(run())


async def _look(settings: "Settings", database: "Database", kafka_seconds: float) -> dict[str, Any]:
    from app.status.gathering import gather
    from app.status.shown import describe

    return describe(await gather(settings, database, kafka_seconds=kafka_seconds))


async def _show_again(settings: "Settings", database: "Database", kafka_seconds: float, *, as_json: bool) -> None:
    """Show it in place of what was shown before; what cannot be asked now is asked again."""
    from app.cli.faults import EXIT_UNREACHABLE, explain

    try:
        seen = await _look(settings, database, kafka_seconds)
    except Exception as error:
        explained = explain(error)
        if explained is None or explained[1] != EXIT_UNREACHABLE:
            raise
        typer.secho(explained[0], fg=typer.colors.RED, err=True)
        return
    if not as_json and sys.stdout.isatty():
        typer.echo(_CLEAR, nl=False)
    _show(seen, as_json=as_json)


def _show(seen: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(seen)
        return
    typer.echo(f"{seen['at']}  group {seen['group']}")
    typer.echo()
    for line in seen["attention"] or ["nothing wants attention"]:
        typer.echo(f"! {line}" if seen["attention"] else line)
    for title in ("processes", "partitions", "shards"):
        typer.echo()
        typer.echo(title if seen[title] else f"{title}: none")
        rows = [{name: _brief(value) for name, value in row.items() if name not in _LEFT_OUT} for row in seen[title]]
        print_table(rows)
    typer.echo()
    for each in seen["processes"]:
        if last := each["last_error"]:
            typer.echo(f"last error         {each['host']}:{each['pid']} at {last['at']}: {last['said']}")
    letters, parked = seen["dead_letters"], seen["parked"]
    listed = ", ".join(f"{count} {reason}" for reason, count in letters["open"].items()) or "none"
    typer.echo(f"open dead letters  {listed}" + (f", since {letters['oldest_at']}" if letters["oldest_at"] else ""))
    typer.echo(f"parked             {parked['records']} records in {parked['streams']} streams")
    for each in seen["controls"]:
        typer.echo(
            f"control            {each['action']} {each['target']}, {each['actor']}, {each['at']}: {each['reason']}"
        )


def _brief(value: object) -> object:
    return ", ".join(map(str, value)) if isinstance(value, list) else value
