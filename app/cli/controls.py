"""`squad pause`, `squad resume`, `squad breaker reset`: what running processes are told, by the table `controls`."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.output import Json, Reason, print_fields, print_json

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from app.settings import Settings
    from db.controls import Change

app = typer.Typer()
breaker = typer.Typer(help="What stops a flood of dead letters.", no_args_is_help=True)
app.add_typer(breaker, name="breaker")

Target = Annotated[
    str,
    typer.Argument(
        help="`consumer` (every partition), a partition by number or as `squad.commands[3]`, `relay` (every shard), or"
        " a shard, such as `relay-0`."
    ),
]


@app.command()
def pause(target: Target, *, reason: Reason, as_json: Json = False) -> None:
    """Let a partition, the consumer, a shard or the relay rest until it is resumed; what is under way is finished.

    It holds through restarts and rebalances, for whoever reads the partition or leads the shard.
    """
    from app.pausing import check_target, parse_target
    from db import controls

    async def act(session: "AsyncSession", settings: "Settings") -> "Change":
        name = parse_target(settings, target)
        await check_target(session, settings, name)
        return await controls.pause(session, name, reason=reason)

    _tell(_run(act), as_json=as_json)


@app.command()
def resume(target: Target, *, reason: Reason, as_json: Json = False) -> None:
    """End a pause, by the name it was given; a pause of `consumer` cannot be ended for one partition."""
    from app.pausing import parse_target
    from db import controls

    async def act(session: "AsyncSession", settings: "Settings") -> "Change":
        return await controls.resume(session, parse_target(settings, target), reason=reason)

    _tell(_run(act), as_json=as_json)


@breaker.command("reset")
def reset(*, reason: Reason, as_json: Json = False) -> None:
    """Let partitions go on that the breaker stopped, in every consumer; dead letters are counted anew."""
    from db import controls

    async def act(session: "AsyncSession", _: "Settings") -> "Change":
        return await controls.ask(session, controls.BREAKER, controls.RESET, reason=reason, audited_as="breaker reset")

    _tell(_run(act), as_json=as_json)


def _run(act: "Callable[[AsyncSession, Settings], Awaitable[Change]]") -> dict[str, Any]:
    import asyncio

    from app import wiring
    from app.settings import Settings

    async def run(settings: "Settings") -> "Change":
        async with wiring.open_database(settings, pool_size=1) as database, database.transaction() as session:
            return await act(session, settings)

    return asyncio.run(run(Settings.load())).describe()


def _tell(fields: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(fields)
        return
    print_fields({name: "nothing asked" if value is None else value for name, value in fields.items()})
    typer.echo("processes do so within SQUAD_CONTROLS_INTERVAL_SECONDS; `squad status` shows it")
