"""Commands on users, through the processor: what is stored, told and answered."""

from domain import commands
from tests import making
from tests.making import new_id, record


async def test_outcome_of_register_if_absent_says_who_is_the_user(bench):
    user_id, other = new_id(), new_id()
    first = commands.RegisterUserIfAbsent(user_id=user_id, email="Ada@example.org")
    again = commands.RegisterUserIfAbsent(user_id=other, email="ada@EXAMPLE.org", name="Ada")

    await bench.apply(record(first), record(again))
    await bench.apply(record(again), record(making.create_squad(other)))

    outcomes = await bench.outcomes()
    assert [(each["outcome"], each["version"], len(each["event_ids"]), each["found"]) for each in outcomes] == [
        ("applied", 1, 1, {}),
        ("applied", None, 0, {"user_id": user_id}),
        ("applied", None, 0, {"user_id": user_id}),
        ("rejected", None, 0, {}),
    ]
    assert await bench.rows("SELECT id::text, name FROM users") == [(user_id, "New User")]
    told_by_events, stored = await bench.retold()
    assert told_by_events == stored
