"""`squad dead-letters list | show | groups | export`: records nobody could apply, as they may be seen."""

from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.letter_options import Limit, choosing, parse_id
from app.cli.output import Json, print_fields, print_json, print_rows

if TYPE_CHECKING:
    from consumers.letter_filter import Filter

app = typer.Typer()
dead_letters = typer.Typer(help="Records that nobody could apply.", no_args_is_help=True)
app.add_typer(dead_letters, name="dead-letters")

_NARROW = ("id", "state", "reason", "type", "key", "place", "first_at", "replay_count", "detail")
"""What a table has room for."""


@dead_letters.command("list")
@choosing
def list_letters(
    *,
    chosen: "Filter",
    after: Annotated[str | None, typer.Option(help="Go on behind this one, the last of the page before.")] = None,
    limit: Limit = 100,
    as_json: Json = False,
) -> None:
    """List dead letters, the oldest first, without their records."""
    import asyncio

    from app import dead_letters as letters
    from app.settings import Settings

    last = None if after is None else parse_id(after, "--after")
    rows = asyncio.run(letters.fetch_page(Settings.load(), chosen, after=last, limit=limit))
    if as_json:
        print_rows(rows, as_json=True)
        return
    print_rows([{name: row[name] for name in _NARROW} for row in rows], as_json=False)
    typer.echo(f"go on with --after {rows[-1]['id']}" if len(rows) == limit else f"{len(rows)} dead letters")


@dead_letters.command("show")
def show(letter_id: Annotated[str, typer.Argument(metavar="ID")], *, as_json: Json = False) -> None:
    """Show a dead letter with its record, masked, its command's outcome, and what is parked behind it."""
    import asyncio

    from app import dead_letters as letters
    from app.settings import Settings

    letter = asyncio.run(letters.show(Settings.load(), parse_id(letter_id, "ID")))
    if as_json:
        print_json(letter)
        return
    record = letter.pop("record")
    print_fields(letter | {f"record {name}": value for name, value in record.items()})


@dead_letters.command("groups")
@choosing
def groups(*, chosen: "Filter", limit: Limit = 100, as_json: Json = False) -> None:
    """Count dead letters by reason, type and detail, whatever ids and numbers it has, with an example of each group."""
    import asyncio

    from app import dead_letters as letters
    from app.settings import Settings

    rows = asyncio.run(letters.fetch_groups(Settings.load(), chosen, limit=limit))
    print_rows(rows, as_json=as_json)
    if not rows and not as_json:
        typer.echo("no dead letters")


@dead_letters.command("export")
@choosing
def export(
    *,
    chosen: "Filter",
    to: Annotated[str, typer.Option(help="A file that does not exist yet; - is standard output.")] = "-",
    raw: Annotated[bool, typer.Option("--raw", help="The records whole, in Base64, personal data in clear.")] = False,
    reason: Annotated[str | None, typer.Option(help="Why --raw is needed, for the audit.")] = None,
) -> None:
    """Write dead letters with their records as JSON Lines: masked, or whole with --raw; secrets never."""
    import asyncio

    from app import dead_letters as letters
    from app.settings import Settings

    if raw and not (reason or "").strip():
        raise typer.BadParameter("--raw needs a --reason")
    written = asyncio.run(letters.write(Settings.load(), chosen, to=to, raw_because=reason if raw else None))
    typer.echo(f"{written} dead letters", err=True)
