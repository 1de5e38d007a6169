"""`squad migrate`, `squad topics create`, `squad settings`."""

import typer

from app.cli.output import Json, print_json, print_rows

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
