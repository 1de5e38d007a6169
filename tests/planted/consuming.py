"""Bugs of the consumer: what makes a command count once, and only once."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from checker.faults import Invariant
from consumers import inbox
from consumers.inbox import Identity, Known
from tests import making
from tests.planted.planting import PlantedBug
from tests.planted.trial import Trial


async def _find_nothing(session: AsyncSession, identities: Collection[Identity]) -> tuple[dict[Identity, Known], int]:
    return {}, 0


async def _insert_what_is_new(session: AsyncSession, rows: Sequence[tuple[Any, ...]]) -> None:
    await inbox.ROWS.insert(session, sorted(rows, key=lambda row: row[:2]), skip_existing=True)


async def _ignore_inbox(trial: Trial) -> None:
    """Both looks at it: a row that is there already would else count as a rival's, and be waited for."""
    trial.patch.setattr(inbox, "find", _find_nothing)
    trial.patch.setattr(inbox, "insert", _insert_what_is_new)


async def _send_a_transfer_again_after_its_reverse(trial: Trial) -> None:
    ada, bob = trial.register(), trial.register()
    squad_id = trial.squad_of(ada)
    there = trial.send(making.transfer(squad_id, bob))
    trial.send(making.transfer(squad_id, ada))
    await trial.drain()
    trial.send_again(there)
    await trial.drain()


INBOX_IGNORED = PlantedBug(
    name="inbox ignored",
    plant=_ignore_inbox,
    meets="a squad is transferred, and back; then the producer sends the first transfer once more",
    scenario=_send_a_transfer_again_after_its_reverse,
    caught_by=frozenset(
        {Invariant.EFFECT_ONCE, Invariant.REPEATED_ALIKE, Invariant.VERSION_REACHED, Invariant.STATE_REBUILT}
    ),
    seed=1,
)
