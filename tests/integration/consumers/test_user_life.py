"""Users who leave, come back and are erased, through the processor."""

import asyncio
from collections import Counter

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


async def test_nobody_is_given_a_squad_while_being_deleted(database):
    """A deletion and a transfer to the same user, again and again: one of them is refused."""
    benches, owner = [Bench(database) for _ in range(2)], new_id()
    squads, users = [new_id() for _ in range(10)], [new_id() for _ in range(10)]
    await benches[0].apply(
        record(making.register_user(owner)),
        *(record(making.register_user(user)) for user in users),
        *(record(making.create_squad(owner, squad)) for squad in squads),
    )

    async def transfer() -> None:
        for squad, user in zip(squads, users, strict=True):
            await benches[0].apply(record(making.transfer(squad, user)))

    async def delete() -> None:
        for user in users:
            await benches[1].apply(record(commands.DeleteUser(user_id=user)), partition=1)

    await asyncio.gather(transfer(), delete())

    erased = "SELECT count(*) FROM squads s JOIN users u ON u.id = s.user_id WHERE u.erased_at IS NOT NULL"
    assert await benches[0].rows(erased) == [(0,)]
    told = Counter(each["outcome"] for each in (await benches[0].outcomes())[-20:])
    assert told == Counter({"applied": 10, "rejected": 10})
