"""`squad events tail`, `squad outcomes tail`: messages as they come."""

from typing import Annotated, Literal

import typer

from app.cli.output import Json, print_json

app = typer.Typer()
events = typer.Typer(help="What happened.", no_args_is_help=True)
outcomes = typer.Typer(help="What became of commands.", no_args_is_help=True)
app.add_typer(events, name="events")
app.add_typer(outcomes, name="outcomes")

FromBeginning = Annotated[bool, typer.Option("--from-beginning", help="Begin with the oldest that is kept.")]
ToEnd = Annotated[bool, typer.Option("--to-end", help="Stop at what is the end now.")]


Unmasked = Annotated[bool, typer.Option("--unmasked", help="Show personal data and data of unknown types too.")]


def _tail(
    topic: Literal["events", "outcomes"], *, from_beginning: bool, to_end: bool, unmasked: bool, as_json: bool
) -> None:
    import asyncio

    from app import topic_logs
    from app.lines import as_line, as_object
    from app.settings import Settings

    settings = Settings.load()

    async def follow() -> None:
        name = settings.topic(topic)
        async for record in topic_logs.tail(settings, name, from_beginning=from_beginning, to_end=to_end):
            if as_json:
                print_json(as_object(record, unmasked=unmasked))
            else:
                typer.echo(as_line(record, unmasked=unmasked))

    asyncio.run(follow())


@events.command("tail")
def tail_events(
    *, from_beginning: FromBeginning = False, to_end: ToEnd = False, unmasked: Unmasked = False, as_json: Json = False
) -> None:
    """Print events as they come, until Ctrl-C."""
    _tail("events", from_beginning=from_beginning, to_end=to_end, unmasked=unmasked, as_json=as_json)


@outcomes.command("tail")
def tail_outcomes(
    *, from_beginning: FromBeginning = False, to_end: ToEnd = False, unmasked: Unmasked = False, as_json: Json = False
) -> None:
    """Print outcomes as they come, until Ctrl-C."""
    _tail("outcomes", from_beginning=from_beginning, to_end=to_end, unmasked=unmasked, as_json=as_json)
