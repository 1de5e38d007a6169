"""`squad relay …`: running relays and looking after them."""

from typing import Annotated, Final

import typer

from app.cli.output import Json, Reason, print_rows
from app.cli.running import run_process

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
