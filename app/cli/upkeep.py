"""`squad inbox status`: what is kept, and for how long."""

import typer

from app.cli.output import Json, print_fields, print_json

app = typer.Typer()
inbox = typer.Typer(help="The commands that were decided, which are forgotten in time.", no_args_is_help=True)
app.add_typer(inbox, name="inbox")


@inbox.command("status")
def inbox_status(*, as_json: Json = False) -> None:
    """Show the inbox's floor, what holds it back, and how large the inbox is."""
    import asyncio

    from app import upkeep
    from app.settings import Settings

    status = asyncio.run(upkeep.inbox_status(Settings.load()))
    print_json(status) if as_json else print_fields(status)
