"""Redriving and discarding dead letters, one or many, as an operator asks for it."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any, Final

from app import wiring
from app.settings import Settings
from consumers import letter_search
from consumers.letter_filter import Filter, LetterState
from consumers.letter_locks import Act, LetterError, SettledError, TakenError, UnfitError, WaitsError
from consumers.letter_search import NoLetterError
from consumers.redrive import Ending, Redriver
from consumers.redrive_orders import Order
from db import audit
from db.database import Database

PAGE: Final = 100
"""Dead letters that are looked for at once."""

CONNECTIONS: Final = 2
"""One works, one keeps other operators away."""

NO_LIMIT: Final = 2**31 - 1

Settle = Callable[[str], Awaitable[dict[str, Any]]]
"""Settles the dead letter of an id, and says what became of it."""

EVERY_STATE: Final = tuple(LetterState)

_LEFT_ALONE: Final[tuple[tuple[type[Exception], str], ...]] = (
    (TakenError, "taken"),
    (UnfitError, "unfit"),
    (WaitsError, "waits"),
    (SettledError, "settled"),
    (NoLetterError, "gone"),
)
"""Why nothing was done, by error, in a word."""


def build_order(settings: Settings, act: Act, *, reason: str, force: bool) -> Order:
    """Say what is wanted of dead letters.

    Args:
        settings: how often one may be redriven in vain.
        act: which.
        reason: for the audit.
        force: whatever the settings say.
    """
    return Order(act=act, reason=reason, max_replays=NO_LIMIT if force else settings.redrive_max_attempts)


async def plan(settings: Settings, chosen: Filter, order: Order) -> dict[str, Any]:
    """Say what would be done, and do nothing."""
    async with wiring.open_database(settings, pool_size=1) as database, database.transaction() as session:
        standing = await letter_search.fetch_standing(session, chosen, max_replays=order.max_replays)
        half_discarded = await letter_search.fetch_half_discarded(session, chosen)
    return {"act": str(order.act), "executed": False} | standing | {"half_discarded": len(half_discarded)}


async def settle_one(
    settings: Settings, letter_id: str, order: Order, *, on_step: Callable[[Ending], None] = lambda _: None
) -> dict[str, Any]:
    """Redrive or discard one dead letter.

    Args:
        settings: where it is.
        letter_id: its id.
        order: what is wanted.
        on_step: told how far it is, after each transaction.

    Raises:
        LetterError: it may not be done, or not now.
        NoLetterError: there is none of this id.
    """
    async with _open(settings) as (_, redriver):
        return describe(await redriver.settle(letter_id, order, on_step))


async def settle_all(
    settings: Settings,
    chosen: Filter,
    order: Order,
    *,
    told: Callable[[dict[str, Any]], None],
    on_step: Callable[[Ending], None] = lambda _: None,
) -> dict[str, Any]:
    """Redrive or discard all dead letters that are chosen, the oldest first.

    Those whose stream waits behind another one are tried again as long as that helps. What a kill leaves undone is done
    by doing the same again.

    Args:
        settings: where they are.
        chosen: which.
        order: what is wanted.
        told: gets what became of each, as it is done.
        on_step: told how far one is, after each transaction.

    Returns:
        How many ended how, and the counts by state before and after.
    """
    async with _open(settings) as (database, redriver):
        settle = partial(_settle, redriver, order, on_step)
        before = await _note(database, chosen, order, "dead-letters {}")
        endings: Counter[str] = Counter()
        waiting = [each async for each in _settle_page_by_page(database, settle, chosen, told, endings)]
        await _settle_waiting(waiting, settle, told, endings)
        after = await _note(database, chosen, order, "dead-letters {}, ended", endings)
    return {"act": str(order.act), "executed": True, "became": dict(endings), "before": before, "after": after}


def describe(ending: Ending) -> dict[str, Any]:
    """Give what became of a dead letter."""
    return {
        "id": ending.letter_id,
        "became": str(ending.state) if ending.failed is None else "failed",
        "decided": ending.decided,
        "parked": ending.left,
        "became_dead_letters": ending.became_letters,
        "detail": ending.failed,
    }


async def _settle_page_by_page(
    database: Database,
    settle: Settle,
    chosen: Filter,
    told: Callable[[dict[str, Any]], None],
    endings: Counter[str],
) -> AsyncIterator[str]:
    """Settle all that can be, what a killed discard left first, and give those that wait behind another one."""
    async with database.transaction() as session:
        half_discarded = await letter_search.fetch_half_discarded(session, chosen)
    for letter_id in half_discarded:
        result = await settle(letter_id)
        endings[result["became"]] += 1
        told(result)
    last: str | None = None
    while True:
        async with database.transaction() as session:
            page = await letter_search.fetch_page(session, chosen, after=last, limit=PAGE)
        for letter in page:
            result = await settle(letter.id)
            if result["became"] == "waits":
                yield letter.id
                continue
            endings[result["became"]] += 1
            told(result)
        if len(page) < PAGE:
            return
        last = page[-1].id


async def _settle_waiting(
    waiting: list[str], settle: Settle, told: Callable[[dict[str, Any]], None], endings: Counter[str]
) -> None:
    """Settle those that waited behind another one, again and again as long as any goes on."""
    went_on = True
    while waiting and went_on:
        results = [(letter_id, await settle(letter_id)) for letter_id in waiting]
        for _, result in results:
            if result["became"] != "waits":
                endings[result["became"]] += 1
                told(result)
        still = [letter_id for letter_id, result in results if result["became"] == "waits"]
        waiting, went_on = still, len(still) < len(waiting)
    if waiting:
        endings["waits"] = len(waiting)
    for letter_id in waiting:
        told({"id": letter_id, "became": "waits"})


async def _settle(
    redriver: Redriver, order: Order, on_step: Callable[[Ending], None], letter_id: str
) -> dict[str, Any]:
    try:
        return describe(await redriver.settle(letter_id, order, on_step))
    except (LetterError, NoLetterError) as error:
        [became] = [word for kind, word in _LEFT_ALONE if isinstance(error, kind)]
        return {"id": letter_id, "became": became, "detail": str(error)}


async def _note(
    database: Database, chosen: Filter, order: Order, action: str, endings: Counter[str] | None = None
) -> dict[str, int]:
    """Note that the act begins or, with what became of the letters, that it has ended; give the counts by state."""
    # What was redriven is in another state by now.
    everywhere = replace(chosen, states=EVERY_STATE)
    async with database.transaction() as session:
        counts = await letter_search.count_by_state(session, everywhere)
        await audit.record(
            session,
            action=action.format(order.act),
            target="dead_letters",
            reason=order.reason,
            before={"letters": counts, "chosen": chosen.describe()} if endings is None else None,
            after=None if endings is None else {"letters": counts, "became": dict(endings)},
        )
    return counts


@asynccontextmanager
async def _open(settings: Settings) -> AsyncIterator[tuple[Database, Redriver]]:
    async with wiring.open_database(settings, pool_size=CONNECTIONS) as database:
        yield database, wiring.build_redriver(settings, database)
