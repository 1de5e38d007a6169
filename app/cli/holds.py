"""`squad holds list | release | skip | divert`: outbox rows that Kafka refused, and those that wait behind them."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from app.cli.output import Json, Reason, print_fields, print_json, print_rows

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from outbox.hold_requests import HoldSummary

app = typer.Typer()
holds = typer.Typer(help="Outbox rows that wait because Kafka refused them, or one before them.", no_args_is_help=True)
app.add_typer(holds, name="holds")

Topic = Annotated[str | None, typer.Option(help="Full name of the topic.")]
Key = Annotated[str | None, typer.Option(help="Key of the row, as text, or in hexadecimal after `\\x`.")]
Then = Annotated[Literal["hold", "release"], typer.Option(help="What becomes of the others of its topic and key.")]
Position = Annotated[int | None, typer.Option(help="Position of a held row, in place of topic and key.")]


@holds.command("list")
def list_holds(
    *,
    topic: Topic = None,
    key: Key = None,
    limit: Annotated[int, typer.Option(help="How many at most.")] = 1000,
    as_json: Json = False,
) -> None:
    """Show what is held, by topic and key, with what an operator asked for and the relay has not done yet."""
    from outbox import hold_requests

    wanted = None if key is None else _parse(key)

    async def fetch(session: "AsyncSession") -> Any:  # noqa: ANN401 - the holds
        return await hold_requests.fetch_holds(session, topic=topic, key=wanted, limit=limit)

    rows = [
        {
            "topic": hold.topic,
            "key": hold_requests.show_key(hold.key),
            "position": hold.position,
            "rows": hold.rows,
            "since": hold.since.isoformat(),
            "requested": _requested(hold),
            "awaits": hold.awaits,
            "reason": hold.reason,
        }
        for hold in _run(fetch)
    ]
    print_rows(rows, as_json=as_json)
    if not rows and not as_json:
        typer.echo("nothing is held")


@holds.command("release")
def release(
    *, topic: Topic = None, key: Key = None, position: Position = None, reason: Reason, as_json: Json = False
) -> None:
    """Let the relay publish all held rows of a topic and key, in order; refused again, they stay held."""
    from outbox import hold_requests

    async def request(session: "AsyncSession") -> dict[str, Any]:
        at = await _find(session, topic, key, position)
        return {"position": at, "rows": await hold_requests.request_release(session, position=at, reason=reason)}

    _tell(_run(request) | {"requested": "release"}, as_json=as_json)


@holds.command("skip")
def skip(
    *,
    position: Annotated[int, typer.Option(help="Position of the held row that nobody is to publish any more.")],
    then: Then = "hold",
    reason: Reason,
    as_json: Json = False,
) -> None:
    """Drop a held row for ever: subscribers never get it. The row itself stays in the outbox."""
    _let_go("skip", position, then, reason=reason, as_json=as_json)


@holds.command("divert")
def divert(
    *,
    position: Annotated[int, typer.Option(help="Position of the held row that is to go to the dead letters.")],
    then: Then = "hold",
    reason: Reason,
    as_json: Json = False,
) -> None:
    """Publish a held row as a dead letter, in place of where it was to go; if it cannot be one, it stays held."""
    _let_go("divert", position, then, reason=reason, as_json=as_json)


def _let_go(way: Literal["skip", "divert"], position: int, then: str, *, reason: str, as_json: bool) -> None:
    from outbox import hold_requests

    ask = hold_requests.request_skip if way == "skip" else hold_requests.request_divert

    async def request(session: "AsyncSession") -> None:
        await ask(session, position=position, reason=reason, release_others=then == "release")

    _run(request)
    _tell({"position": position, "requested": way, "others": then}, as_json=as_json)


def _requested(hold: "HoldSummary") -> str | None:
    wanted = {"skip": hold.skip_requested, "divert": hold.divert_requested, "release": hold.release_requested}
    return next((name for name, is_wanted in wanted.items() if is_wanted), None)


async def _find(session: "AsyncSession", topic: str | None, key: str | None, position: int | None) -> int:
    from outbox import hold_requests

    if position is not None and topic is None and key is None:
        return position
    if position is None and topic is not None and key is not None:
        return await hold_requests.find_position(session, topic=topic, key=_parse(key))
    raise typer.BadParameter("give --position, or --topic and --key")


def _parse(key: str) -> bytes:
    from outbox import hold_requests

    try:
        return hold_requests.parse_key(key)
    except ValueError as error:
        raise typer.BadParameter(f"--key: {error}") from None


def _run(work: "Callable[[AsyncSession], Awaitable[Any]]") -> Any:  # noqa: ANN401 - what the work gives
    import asyncio

    from app import wiring
    from app.settings import Settings

    async def run() -> Any:  # noqa: ANN401 - what the work gives
        async with wiring.open_database(Settings.load(), pool_size=1) as database, database.transaction() as session:
            return await work(session)

    return asyncio.run(run())


def _tell(fields: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(fields)
    else:
        print_fields(fields)
        typer.echo("the relay that leads its shard does it, at once or as soon as it runs")
