"""`squad relay …`: running relays and looking after them."""

from typing import Annotated, Final

import typer

from app.cli.output import Json, Reason, print_fields, print_json, print_rows
from app.cli.running import run_process
from app.cli.times import parse_time

app = typer.Typer()
relay = typer.Typer(help="The relay, which publishes the outbox.", no_args_is_help=True)
app.add_typer(relay, name="relay")

_PAUSE_SECONDS: Final = 0.5


@relay.command("run")
def run_relay() -> None:
    """Run relays, until SIGTERM or Ctrl-C: one for each shard whose lease is free, up to this process's share."""
    run_process("relay")


@relay.command("reshard")
def reshard(
    *,
    shards: Annotated[int, typer.Option(help="How many shards there are to be.", min=1, max=1024)],
    wait_seconds: Annotated[
        float, typer.Option(help="How long to try, where shards that become one have rows to publish.")
    ] = 10,
    reason: Reason,
    as_json: Json = False,
) -> None:
    """Divide the outbox among so many relays; those that run notice within seconds. Nothing is lost or reordered."""
    import asyncio
    import time

    from app import wiring
    from app.settings import Settings
    from outbox.errors import UnmergeableError
    from outbox.shards import Shard, fetch_shards
    from outbox.shards import reshard as divide

    async def run() -> dict[str, list[Shard]]:
        deadline = time.monotonic() + wait_seconds
        async with wiring.open_database(Settings.load(), pool_size=1) as database:
            while True:
                try:
                    async with database.transaction() as session:
                        before = await divide(session, count=shards, reason=reason)
                        after = await fetch_shards(session)
                except UnmergeableError:
                    if time.monotonic() >= deadline:
                        raise
                    await asyncio.sleep(_PAUSE_SECONDS)
                else:
                    return {"before": before, "after": after}

    rows = [
        {"when": when, "shard": each.shard, "slot_from": each.slot_from, "slot_to": each.slot_to}
        for when, listed in asyncio.run(run()).items()
        for each in listed
    ]
    print_rows(rows, as_json=as_json)


@relay.command("status")
def status(*, as_json: Json = False) -> None:
    """Show each shard: who leads it, how far it is, what waits, and why nothing is published, if it is so."""
    import asyncio
    from dataclasses import asdict

    from app import wiring
    from app.settings import Settings
    from outbox.connection import own_connection
    from outbox.status import ShardStatus, fetch_status

    async def fetch() -> list[ShardStatus]:
        async with wiring.open_database(Settings.load(), pool_size=1) as database, own_connection(database) as alone:
            return await fetch_status(alone)

    for number, shard in enumerate(asyncio.run(fetch())):
        if as_json:
            print_json(asdict(shard))
            continue
        if number:
            typer.echo()
        print_fields(asdict(shard))


@relay.command("rebase")
def rebase(
    *,
    from_position: Annotated[int | None, typer.Option(help="Publish all rows from this position on again.")] = None,
    from_time: Annotated[
        str | None, typer.Option(help="Publish all rows recorded at this time (RFC 3339) or later again.")
    ] = None,
    from_now: Annotated[bool, typer.Option("--from-now", help="Publish nothing of what is there.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; else it is only said what would be done.")] = False,
    reason: Reason,
    as_json: Json = False,
) -> None:
    """Set the cursors anew for this database, after a restore. By default all that may be unpublished is published."""
    import asyncio
    from dataclasses import asdict

    from app import wiring
    from app.settings import Settings
    from outbox import rebase as rebasing

    if sum((from_position is not None, from_time is not None, from_now)) > 1:
        raise typer.BadParameter("give one of --from-position, --from-time and --from-now")
    time = None if from_time is None else parse_time("--from-time", from_time)
    since = rebasing.Since(position=from_position, time=time, now=from_now)

    async def run() -> list[rebasing.ShardPlan]:
        async with wiring.open_database(Settings.load(), pool_size=1) as database, database.transaction() as session:
            if yes:
                return await rebasing.rebase(session, since, reason=reason)
            return await rebasing.plan(session, since)

    plans = asyncio.run(run())
    print_rows([asdict(each) | {"done": yes} for each in plans], as_json=as_json)
    if not yes and not as_json:
        typer.echo("nothing is changed: with --yes, `rows` are published, `repeated` of them once more;")
        typer.echo("`left_out` may never have been published, and are not then either")
