"""`squad checkpoints list`, `accept`, `skip`: how far the group has come, and going on from elsewhere."""

from typing import Annotated

import typer

from app.cli.output import Json, Reason, print_rows

app = typer.Typer()
checkpoints = typer.Typer(help="How far the consumer group has come.", no_args_is_help=True)
app.add_typer(checkpoints, name="checkpoints")


@checkpoints.command("list")
def list_checkpoints(*, as_json: Json = False) -> None:
    """List the commands' partitions: checkpoint beside the log, who reads each, and why one is stopped."""
    import asyncio

    from app import checkpoints as operated
    from app.settings import Settings

    settings = Settings.load()
    standings = asyncio.run(operated.fetch(settings))
    print_rows([each.describe(settings.consumer_group) for each in standings], as_json=as_json)


@checkpoints.command("accept")
def accept(
    partitions: Annotated[list[int] | None, typer.Argument(metavar="PARTITION…", help="Their numbers.")] = None,
    *,
    to: Annotated[str, typer.Option(help="Where to go on: earliest, latest or an offset.")],
    reason: Reason,
    everything: Annotated[bool, typer.Option("--all", help="Every partition that no consumer reads.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without, only what would be done is shown.")] = False,
    as_json: Json = False,
) -> None:
    """Let a stopped partition go on from another place, whatever is lost or read again by that; consumers may run.

    Commands that are read again and were decided before have no second effect. What is skipped is never decided.
    """
    import asyncio

    from app import checkpoints as operated
    from app.settings import Settings

    async def run() -> None:
        settings = Settings.load()
        moves = operated.plan(await operated.fetch(settings), partitions or (), everything=everything, to=to)
        if yes:
            await operated.accept(settings, moves, reason=reason)
        print_rows([move.describe() | {"done": yes} for move in moves], as_json=as_json)
        if not yes:
            typer.secho("nothing was changed: --yes does it", err=True)

    asyncio.run(run())


@checkpoints.command("skip")
def skip(
    partition: Annotated[int, typer.Argument(help="Its number.")],
    *,
    reason: Reason,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without, only what would be done is shown.")] = False,
    as_json: Json = False,
) -> None:
    """Step over what cannot even be fetched at a checkpoint, up to the next record that can; consumers may run.

    Refused where the next record can be read. Each record stepped over becomes a dead letter that knows its place
    alone; it is never decided.
    """
    import asyncio

    from app import skipping
    from app.settings import Settings

    async def run() -> None:
        settings = Settings.load()
        asked = await skipping.plan(settings, partition)
        if yes:
            await skipping.skip(settings, asked, reason=reason)
        print_rows([each | {"done": yes} for each in asked.describe()], as_json=as_json)
        if not yes:
            typer.secho("nothing was changed: --yes does it", err=True)

    asyncio.run(run())
