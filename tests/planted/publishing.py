"""Bugs of publishing a page: who may, what is done with what Kafka refuses, and what is left when it breaks off."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from checker.faults import Invariant
from outbox import hold_requests
from outbox.errors import LeaseLostError
from outbox.lease import Lease
from outbox.settling import NOTHING, Settled, Settler
from outbox.wire import Record
from tests.applying import TOPICS
from tests.planted.gates import Gate, finish
from tests.planted.planting import PlantedBug
from tests.planted.relaying import ROWS_LOST
from tests.planted.trial import Trial

# Two relays without lease


async def _lead_without_lease(trial: Trial) -> None:
    """Whoever asks has epoch 0, for ever."""
    trial.patch.setattr(Lease, "epoch", property(lambda _: 0))


async def _wake_an_old_leader(trial: Trial) -> None:
    trial.page_rows = trial.repeats_allowed = 2
    for _ in range(3):
        trial.register()
    await trial.drain()
    gate = Gate()

    async def pause(_: Sequence[Record]) -> None:
        trial.publisher.before = None
        await gate.wait()

    trial.publisher.before = pause
    async with trial.relay() as old:
        publishing = asyncio.create_task(old.pass_once())
        await gate.reached.wait()
        await trial.publish()
        with suppress(LeaseLostError):
            await finish(publishing, gate)


TWO_RELAYS = PlantedBug(
    name="two relays without lease",
    plant=_lead_without_lease,
    meets="a relay stands still in a page, another publishes everything, and the first one wakes",
    scenario=_wake_an_old_leader,
    caught_by=frozenset({Invariant.REPEATED_LITTLE}),
    seed=34,
)

# Refused row skipped


async def _publish_the_others(settler: Settler, records: Sequence[Record]) -> Settled:
    refused = await settler._publisher.publish(records)
    others = [each.record for each in refused if each.behind is not None]
    if others:
        await settler._publisher.publish(others)
    return NOTHING


async def _leave_refused_rows_out(trial: Trial) -> None:
    trial.patch.setattr(Settler, "publish", _publish_the_others)


async def _refuse_a_row(trial: Trial) -> None:
    squad_id = trial.squad_of(trial.register())
    project_id = trial.project_in(squad_id)
    trial.project_in(squad_id)
    await trial.drain()
    trial.publisher.refuse = lambda each: each.topic == TOPICS.events and project_id.encode() in (each.value or b"")
    await trial.publish()
    trial.publisher.refuse = lambda _: False
    for (position,) in await trial.rows("SELECT min(position) FROM held GROUP BY topic, key"):
        async with trial.database.transaction() as session:
            await hold_requests.request_release(session, position=position, reason="the limit is higher now")
    await trial.publish()


REFUSED_ROW_SKIPPED = PlantedBug(
    name="refused row skipped",
    plant=_leave_refused_rows_out,
    meets="Kafka refuses an event, others of its squad come after it, and what is held for that is released later",
    scenario=_refuse_a_row,
    caught_by=frozenset({Invariant.PUBLISHED, Invariant.EFFECT_ONCE, Invariant.GAPLESS, Invariant.STATE_REBUILT}),
    seed=35,
)

# Swallowed cancellation

_settle = Settler.publish


async def _publish_in_peace(settler: Settler, records: Sequence[Record]) -> Settled:
    try:
        return await _settle(settler, records)
    except asyncio.CancelledError:
        return NOTHING


async def _swallow_cancellation(trial: Trial) -> None:
    trial.patch.setattr(Settler, "publish", _publish_in_peace)


async def _cancel_while_publishing(trial: Trial) -> None:
    trial.register()
    await trial.drain()
    gate = Gate()

    async def pause(_: Sequence[Record]) -> None:
        await gate.wait()

    trial.publisher.before = pause
    async with trial.relay() as relay:
        publishing = asyncio.create_task(relay.pass_once())
        await gate.reached.wait()
        publishing.cancel()
        with suppress(asyncio.CancelledError):
            await publishing
    trial.publisher.before = None


CANCELLATION_SWALLOWED = PlantedBug(
    name="swallowed cancellation",
    plant=_swallow_cancellation,
    meets="the relay is cancelled while it waits for Kafka's acknowledgement",
    scenario=_cancel_while_publishing,
    caught_by=ROWS_LOST,
    seed=36,
)
