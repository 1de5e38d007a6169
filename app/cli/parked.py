"""`squad parked list | show`: streams whose commands wait behind a dead letter."""

from typing import Annotated

import typer

from app.cli.letter_options import Limit, parse_id
from app.cli.output import Json, print_rows

app = typer.Typer()
parked = typer.Typer(help="Streams whose commands wait behind a dead letter.", no_args_is_help=True)
app.add_typer(parked, name="parked")


@parked.command("list")
def list_parked(
    *,
    stream: Annotated[str | None, typer.Option(help="Only this user or squad, by its id.")] = None,
    dead_letter: Annotated[str | None, typer.Option(help="Only those behind this dead letter.")] = None,
    limit: Limit = 100,
    as_json: Json = False,
) -> None:
    """List the streams that wait, those that have waited longest first, and what they wait behind."""
    import asyncio

    from app import dead_letters as letters
    from app.settings import Settings

    only = None if stream is None else parse_id(stream, "--stream")
    behind = None if dead_letter is None else parse_id(dead_letter, "--dead-letter")
    rows = asyncio.run(letters.fetch_parked(Settings.load(), stream=only, dead_letter_id=behind, limit=limit))
    print_rows(rows, as_json=as_json)
    if not rows and not as_json:
        typer.echo("nothing is parked")


@parked.command("show")
def show(
    stream: Annotated[str, typer.Argument(metavar="STREAM", help="The id of the user or squad.")],
    *,
    after: Annotated[int, typer.Option(help="Go on behind this number, the last of the page before.")] = -1,
    limit: Limit = 100,
    as_json: Json = False,
) -> None:
    """Show the records of a stream that wait, in the order in which they will be applied, masked."""
    import asyncio

    from app import dead_letters as letters
    from app.settings import Settings

    settings = Settings.load()
    rows = asyncio.run(letters.show_parked(settings, parse_id(stream, "STREAM"), after=after, limit=limit))
    if as_json:
        print_rows(rows, as_json=True)
        return
    shown = [
        {
            "number": row["number"],
            "place": f"{row['topic']}[{row['partition']}]@{row['offset']}",
            "type": row["headers"].get("ce_type"),
            "id": row["headers"].get("ce_id"),
            "time": row["headers"].get("ce_time"),
        }
        for row in rows
    ]
    print_rows(shown, as_json=False)
    typer.echo(f"go on with --after {rows[-1]['number']}" if len(rows) == limit else f"{len(rows)} records wait")
