"""Streams that are parked, redriven or made while somebody else waits for them: nobody overtakes, nothing is lost."""

import asyncio
from collections import Counter

import pytest
from sqlalchemy import text

from consumers import processor
from db.load import load_state
from tests import making
from tests.applying import Bench
from tests.making import new_id, record
from tests.poison import POISON
from tests.settling import APPLIED, DEAD, PARKED, Settling, execute, project, until_blocked

pytestmark = pytest.mark.usefixtures("poisonous")

LETTER = (
    "INSERT INTO dead_letters (id, topic, partition, record_offset, timestamp, header_names, header_values, reason,"
    " detail) VALUES (gen_random_uuid(), 'elsewhere', 0, 0, now(), '{}', '{}', 'unexpected', '')"
)


PARK = "INSERT INTO parked_streams SELECT CAST(:stream AS uuid), id, now() FROM dead_letters"


ADD_SQUAD = (
    "INSERT INTO squads (id, user_id, name, status, created_at, version)"
    " VALUES (CAST(:squad AS uuid), CAST(:user AS uuid), 'Squad', 'active', now(), 1)"
)


async def test_stream_that_is_parked_while_its_root_is_waited_for_is_seen(settling, database):
    """The look at what is parked comes after the lock, so it sees what was committed while that was waited for."""
    async with database.transaction() as session:
        await session.execute(
            text("SELECT 1 FROM squads WHERE id = CAST(:stream AS uuid) FOR UPDATE"), {"stream": settling.mine}
        )
        await session.execute(text(LETTER))
        await session.execute(text(PARK), {"stream": settling.mine})
        waiting = asyncio.create_task(settling.settle(project(settling.mine, "1")))
        await until_blocked(settling.bench)
    await waiting

    assert await settling.outcomes() == {"1": PARKED}


@pytest.mark.parametrize("is_parked_still", [False, True])
async def test_root_that_a_redrive_makes_while_a_command_waits_is_seen(settling, database, is_parked_still):
    """There was no root to lock: what was loaded is from before the redrive, and is to be loaded again."""
    squad = new_id()
    await execute(database, LETTER)
    await execute(database, PARK, stream=squad)
    async with database.transaction() as session:
        await session.execute(text("SELECT 1 FROM parked_streams FOR UPDATE"))
        waiting = asyncio.create_task(settling.settle(project(squad, "1")))
        await until_blocked(settling.bench)
        await session.execute(text(ADD_SQUAD), {"squad": squad, "user": settling.ada})
        if not is_parked_still:
            await session.execute(text("DELETE FROM parked_streams"))
    await waiting

    assert await settling.outcomes() == {"1": PARKED if is_parked_still else APPLIED}


async def test_redrive_between_loading_and_looking_at_what_is_parked_is_seen(settling, database, monkeypatch):
    """Nothing is parked any more then; that it was before tells that what was loaded is old."""
    squad = new_id()
    await execute(database, LETTER)
    await execute(database, PARK, stream=squad)
    redriven: list[str] = []

    async def load_and_be_overtaken(session, reads):
        state = await load_state(session, reads)
        if not redriven:
            redriven.append(squad)
            await execute(database, ADD_SQUAD, squad=squad, user=settling.ada)
            await execute(database, "DELETE FROM parked_streams")
        return state

    monkeypatch.setattr(processor, "load_state", load_and_be_overtaken)
    await settling.settle(project(squad, "1"))

    assert await settling.outcomes() == {"1": APPLIED}


async def test_two_consumers_that_park_one_stream_at_once_park_it_behind_one_letter(bench, database):
    """Neither sees the other's row, and there is no root: the slower one looks again, and waits behind the other."""
    squad = new_id()
    settlings = [Settling(Bench(database)) for _ in range(4)]

    await asyncio.gather(
        *(
            each.settle(
                record(making.create_squad(new_id(), squad, name=POISON), command_id=str(number)), partition=number
            )
            for number, each in enumerate(settlings)
        )
    )

    outcomes = Counter((await settlings[0].outcomes()).values())
    assert outcomes == {DEAD: 1, PARKED: 3}
    assert not any(each.readers.stopped for each in settlings)
