"""`squad dead-letters redrive | discard`: dead letters applied after all, or given up, and what waits behind them."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.dead_letters import app, dead_letters
from app.cli.letter_options import choosing, parse_id
from app.cli.output import Json, Reason, print_fields, print_json

if TYPE_CHECKING:
    from consumers.letter_filter import Filter
    from consumers.redrive import Ending
    from consumers.redrive_orders import Order

__all__ = ["app"]

LetterId = Annotated[str | None, typer.Argument(metavar="[ID]", help="One dead letter; without, those chosen below.")]
Everything = Annotated[bool, typer.Option("--all", help="All that wait, where no other option chooses.")]
Execute = Annotated[
    bool | None,
    typer.Option(
        "--execute/--dry-run", help="Do it to many, or only show what would be done, which is the default for many."
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Also those that were redriven in vain too often.")]

FINE = frozenset({"redriven", "discarded", "settled", "gone"})
"""What may become of a letter without anything being wrong."""


@dead_letters.command("redrive")
@choosing
def redrive(
    letter_id: LetterId = None,
    *,
    chosen: "Filter",
    everything: Everything = False,
    execute: Execute = None,
    force: Force = False,
    reason: Reason,
    as_json: Json = False,
) -> None:
    """Apply dead letters after all, each with what waits behind it, in order; one by its id, or many.

    Many are only counted (--dry-run), unless --execute. What a kill leaves half done goes on when it is done again.
    Exit code 1 when one failed again or could not be done now.
    """
    _settle("redrive", letter_id, chosen, everything, execute=execute, force=force, reason=reason, as_json=as_json)


@dead_letters.command("discard")
@choosing
def discard(
    letter_id: LetterId = None,
    *,
    chosen: "Filter",
    everything: Everything = False,
    execute: Execute = None,
    reason: Reason,
    as_json: Json = False,
) -> None:
    """Give dead letters up for ever: their outcomes are final, and what waits behind them is applied, in order.

    Many are only counted (--dry-run), unless --execute. What a kill leaves half done goes on when it is done again.
    Exit code 1 when a letter could not be discarded now.
    """
    _settle("discard", letter_id, chosen, everything, execute=execute, force=False, reason=reason, as_json=as_json)


def _settle(
    act: str,
    letter_id: str | None,
    chosen: "Filter",
    everything: bool,  # noqa: FBT001 - an option, handed on
    *,
    execute: bool | None,
    force: bool,
    reason: str,
    as_json: bool,
) -> None:
    from app import redriving
    from app.settings import Settings
    from consumers.letter_filter import Filter
    from consumers.letter_locks import Act

    chooses = chosen != Filter()
    if (letter_id is not None) + chooses + everything != 1:
        raise typer.BadParameter("give an id, or options that choose, or --all")
    if letter_id is not None and execute is False:
        raise typer.BadParameter("--dry-run is for many: one, by its id, is done at once")
    settings = Settings.load()
    order = redriving.build_order(settings, Act(act), reason=reason, force=force)
    if letter_id is not None:
        _settle_one(parse_id(letter_id, "ID"), order, as_json=as_json)
    else:
        _settle_many(chosen, order, execute=execute is True, as_json=as_json)


def _settle_one(letter_id: str, order: "Order", *, as_json: bool) -> None:
    import asyncio

    from app import redriving
    from app.settings import Settings

    def show(ending: "Ending") -> None:
        if not as_json:
            typer.echo(f"{ending.decided} decided, {ending.left} wait", err=True)

    result = asyncio.run(redriving.settle_one(Settings.load(), letter_id, order, on_step=show))
    print_json(result) if as_json else print_fields(result)
    if result["became"] not in FINE:
        sys.exit(1)


def _settle_many(chosen: "Filter", order: "Order", *, execute: bool, as_json: bool) -> None:
    import asyncio

    from app import redriving
    from app.settings import Settings

    settings = Settings.load()
    if not execute:
        planned = asyncio.run(redriving.plan(settings, chosen, order))
        print_json(planned) if as_json else print_fields(planned)
        typer.secho("nothing was changed: --execute does it", err=True)
        return

    def show(ending: "Ending") -> None:
        # The last step of each is told with what became of it.
        if ending.left and not as_json:
            typer.echo(f"{ending.letter_id}: {ending.decided} decided, {ending.left} wait", err=True)

    told = _teller(as_json=as_json)
    result = asyncio.run(redriving.settle_all(settings, chosen, order, told=told, on_step=show))
    print_json(result) if as_json else print_fields(result)
    if not result["became"].keys() <= FINE:
        sys.exit(1)


def _teller(*, as_json: bool) -> Callable[[dict[str, Any]], None]:
    """Give what prints each letter as it is done: a line of JSON, or a line for people on standard error."""
    done = 0

    def tell(result: dict[str, Any]) -> None:
        nonlocal done
        done += 1
        if as_json:
            print_json(result)
        else:
            detail = f": {result['detail']}" if result.get("detail") else ""
            typer.echo(f"{done} {result['id']} {result['became']}{detail}", err=True)

    return tell
