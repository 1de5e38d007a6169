"""Users who leave, come back and are erased, through the processor."""

import asyncio

import pytest

from consumers import checkpoints
from domain import commands
from tests import making
from tests.applying import Bench
from tests.making import NOON, new_id, record


async def test_user_leaves_comes_back_and_is_erased(bench):
    user_id = new_id()
    kept = "SELECT email, email_key, name, password_hash, is_active, deleted_at, erased_at, version FROM users"

    await bench.apply(
        record(making.register_user(user_id, email="Ada@x")),
        record(commands.SetPasswordHash(user_id=user_id, password_hash="$hash")),
    )
    await bench.apply(record(commands.DeactivateUser(user_id=user_id)))
    assert await bench.rows(kept) == [("Ada@x", None, "Ada", "$hash", False, NOON, None, 3)]
    await bench.apply(record(commands.ReactivateUser(user_id=user_id)))
    assert await bench.rows(kept) == [("Ada@x", "ada@x", "Ada", "$hash", True, None, None, 4)]
    await bench.apply(record(commands.DeleteUser(user_id=user_id)))
    assert await bench.rows(kept) == [(None, None, None, None, False, NOON, NOON, 5)]
    await bench.apply(record(making.register_user(user_id)), record(making.register_user(email="ada@x")))

    assert [each["code"] for each in await bench.outcomes()] == [*[None] * 5, "user-erased", None]
    told_by_events, stored = await bench.retold()
    assert told_by_events == stored


async def test_owner_is_not_deleted_whatever_of_their_squads_the_batch_has_loaded(bench):
    ada, bob = new_id(), new_id()
    squads = [new_id() for _ in range(2)]
    delete = commands.DeleteUser(user_id=ada)
    await bench.apply(record(making.register_user(ada)), record(making.register_user(bob)))
    await bench.apply(*(record(making.create_squad(ada, squad)) for squad in squads))

    await bench.apply(record(delete))
    await bench.apply(record(making.transfer(squads[0], bob)), record(delete))
    await bench.apply(record(delete), record(making.transfer(squads[1], bob)))
    await bench.apply(record(delete), record(making.create_squad(ada)))

    told = [each["code"] for each in await bench.outcomes() if each["type"] in ("user.delete.v1", "squad.create.v1")]
    assert told == [None, None, *["user-owns-squads"] * 3, None, "user-not-found"]


WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@pytest.mark.parametrize("first", ["transfer", "delete"])
async def test_nobody_is_given_a_squad_while_being_deleted(database, monkeypatch, first):
    """Two consumers: the second comes to the user before the first commits, waits, and sees what it did."""
    bench, rival, owner, ada, squad = Bench(database), Bench(database), *(new_id() for _ in range(3))
    await bench.apply(
        record(making.register_user(owner)),
        record(making.register_user(ada)),
        record(making.create_squad(owner, squad)),
    )
    asked = [record(making.transfer(squad, ada)), record(commands.DeleteUser(user_id=ada))]
    if first == "delete":
        asked.reverse()
    real, decided, goes_on = checkpoints.advance, asyncio.Event(), asyncio.Event()

    async def advance_later(session, group, places):
        await real(session, group, places)
        if {place.number for place in places} == {0}:
            decided.set()
            await goes_on.wait()

    monkeypatch.setattr(checkpoints, "advance", advance_later)
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        group.create_task(bench.apply(asked[0]))
        await decided.wait()
        group.create_task(rival.apply(asked[1], partition=1))
        while (await bench.rows(WAITING))[0][0] == 0:  # noqa: ASYNC110 - the server's state
            await asyncio.sleep(0.005)
        goes_on.set()

    told = [(each["outcome"], each["code"]) for each in (await bench.outcomes())[-2:]]
    assert told == [("applied", None), ("rejected", "user-owns-squads" if first == "transfer" else "user-not-found")]
