"""Planted in what parks commands behind a dead letter of their stream."""

from collections.abc import Collection

from sqlalchemy.ext.asyncio import AsyncSession

from checker.faults import Invariant
from consumers import parking
from consumers.parking import Parking
from db.rows import RowType
from domain.values import Id
from tests import making
from tests.planted.planting import PlantedBug
from tests.planted.trial import Trial
from tests.poison import POISON, poison


async def _fail_with_one_and_go_on(trial: Trial) -> None:
    """A squad's command fails however often it is tried; others of the squad follow, in two batches."""
    poison(trial.patch)
    squad_id = trial.squad_of(trial.register())
    await trial.drain()
    trial.send(making.create_project(squad_id, name=POISON), expected="dead-lettered:unexpected")
    for _ in range(2):
        for _ in range(3):
            trial.send(making.create_project(squad_id), expected=None)
        trial.register()
        await trial.drain()


MEETS = "a squad's command fails however often it is tried, and others of the squad follow"

# Parked streams ignored


async def _look_at_nothing(_: Parking, __: AsyncSession, ___: Collection[Id], ____: Collection[Id] = ()) -> None: ...


async def _ignore_parked_streams(trial: Trial) -> None:
    trial.patch.setattr(Parking, "lock", _look_at_nothing)


PARKED_STREAMS_IGNORED = PlantedBug(
    name="parked streams are not looked at",
    plant=_ignore_parked_streams,
    meets=MEETS,
    scenario=_fail_with_one_and_go_on,
    caught_by=frozenset({Invariant.NOT_OVERTAKEN}),
    seed=61,
)

# Parked records not kept


async def _keep_streams_only(_: RowType, __: AsyncSession, ___: object) -> int:
    return 0


class _Forgetful(RowType):
    __slots__ = ()
    insert = _keep_streams_only  # type: ignore[assignment] # it forgets what it is given


async def _forget_parked_records(trial: Trial) -> None:
    trial.patch.setattr(parking, "ROWS", _Forgetful("parked", ()))


PARKED_RECORDS_NOT_KEPT = PlantedBug(
    name="parked records are answered and not kept",
    plant=_forget_parked_records,
    meets=MEETS,
    scenario=_fail_with_one_and_go_on,
    caught_by=frozenset({Invariant.PARKED_KEPT}),
    seed=62,
)

# Parked records out of order

_write = Parking.write


async def _write_in_reverse(self: Parking, session: AsyncSession) -> None:
    numbers = [row[1] for row in self._rows]
    self._rows = [(row[0], number, *row[2:]) for row, number in zip(self._rows, reversed(numbers), strict=True)]
    await _write(self, session)


async def _number_in_reverse(trial: Trial) -> None:
    trial.patch.setattr(Parking, "write", _write_in_reverse)


PARKED_RECORDS_OUT_OF_ORDER = PlantedBug(
    name="parked records are numbered in another order than they come",
    plant=_number_in_reverse,
    meets=MEETS,
    scenario=_fail_with_one_and_go_on,
    caught_by=frozenset({Invariant.PARKED_IN_ORDER}),
    seed=63,
)
