"""`squad migrate`, `squad topics create`, `squad topics compare`, `squad settings`."""

from typing import Annotated

import typer

from app.cli.output import Json, print_json, print_rows
from app.cli.times import parse_time

app = typer.Typer()
topics = typer.Typer(help="The topics that the service needs.", no_args_is_help=True)
app.add_typer(topics, name="topics")


@app.command()
def migrate() -> None:
    """Bring the database's schema up to this release, and make the outbox's next partitions."""
    import asyncio

    from app import wiring
    from app.settings import Settings

    settings = Settings.load()
    wiring.migrate(settings)
    asyncio.run(wiring.make_partitions(settings))
    typer.echo("the schema is up to date")


@topics.command("create")
def create_topics(*, as_json: Json = False) -> None:
    """Make the topics that are missing; those that exist stay as they are."""
    import asyncio

    from app import broker
    from app.settings import Settings

    created = asyncio.run(broker.create_topics(Settings.load()))
    if as_json:
        print_json({"created": created})
    else:
        typer.echo(f"created: {', '.join(created)}" if created else "all topics exist")


@topics.command("compare")
def compare_topics(
    *,
    since: Annotated[str, typer.Option(help="Compare what was recorded at this time (RFC 3339) or later.")],
    timeout_seconds: Annotated[float, typer.Option(help="How long reading the topics may take.")] = 300,
    as_json: Json = False,
) -> None:
    """Show the events and outcomes that only the topics have, or only the outbox; exit code 1 if there are any."""
    import asyncio
    from dataclasses import asdict

    from app import comparing
    from app.settings import Settings

    found = asyncio.run(
        comparing.compare(Settings.load(), since=parse_time("--since", since), timeout_seconds=timeout_seconds)
    )
    print_rows([asdict(each) for each in found], as_json=as_json)
    if found:
        raise typer.Exit(1)
    if not as_json:
        typer.echo("the topics have what the outbox published, and nothing else")


@app.command()
def settings(*, as_json: Json = False) -> None:
    """Show every setting: its value, where it came from, what it means. Passwords are masked."""
    from app.settings import Settings, masked, origin, variable

    values = Settings.load()
    rows = [
        {
            "setting": variable(name),
            "value": masked(name, getattr(values, name)),
            "origin": origin(values, name),
            "meaning": field.description,
        }
        for name, field in Settings.model_fields.items()
    ]
    print_rows(rows, as_json=as_json)
