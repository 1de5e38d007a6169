"""`squad inbox status`, `squad outbox partitions`: what is kept, and for how long."""

import typer

from app.cli.output import Json, print_fields, print_json, print_rows

app = typer.Typer()
inbox = typer.Typer(help="The commands that were decided, which are forgotten in time.", no_args_is_help=True)
outbox = typer.Typer(help="What was and will be published.", no_args_is_help=True)
app.add_typer(inbox, name="inbox")
app.add_typer(outbox, name="outbox")


@inbox.command("status")
def inbox_status(*, as_json: Json = False) -> None:
    """Show the inbox's floor, what holds it back, and how large the inbox is."""
    import asyncio

    from app import upkeep
    from app.settings import Settings

    status = asyncio.run(upkeep.inbox_status(Settings.load()))
    print_json(status) if as_json else print_fields(status)


@outbox.command("partitions")
def outbox_partitions(*, as_json: Json = False) -> None:
    """Show the outbox's table of each day: what it holds, what holds it back, when it is detached and dropped."""
    import asyncio

    from app import upkeep
    from app.settings import Settings

    print_rows(asyncio.run(upkeep.outbox_partitions(Settings.load())), as_json=as_json)
