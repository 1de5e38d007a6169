"""Commands on users, through the processor: what is stored, told and answered."""

import random
from collections.abc import Callable

import pytest

from domain import commands
from domain.values import PlanTier
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


async def test_each_change_of_a_user_is_stored_and_told_without_personal_data(bench):
    user_id = new_id()

    await bench.apply(
        record(making.register_user(user_id, email="ada@example.org")),
        record(commands.RenameUser(user_id=user_id, name="Grace")),
        record(commands.ChangePlanTier(user_id=user_id, plan_tier=PlanTier.PRO)),
        record(commands.ChangeEmail(user_id=user_id, email="Grace@example.org")),
        record(commands.VerifyEmail(user_id=user_id, email="grace@example.org")),
    )

    assert await bench.rows("SELECT email, email_key, name, email_verified, plan_tier, version FROM users") == [
        ("Grace@example.org", "grace@example.org", "Grace", True, "pro", 5)
    ]
    events = await bench.outbox()
    assert [each["type"] for each in events] == [
        "user.registered.v1",
        "user.renamed.v1",
        "user.plan-tier-changed.v1",
        "user.email-changed.v1",
        "user.email-verified.v1",
    ]
    assert not [each for each in events if b"race" in each["body"]]
    told_by_events, stored = await bench.retold()
    assert told_by_events == stored


def commands_on_few_users(chance: random.Random, number: int) -> list[commands.Command]:
    """Give commands on few users with few e-mails in any order; many are refused, which is an answer."""
    users = [new_id() for _ in range(5)]
    emails = [f"{name}@x" for name in ("ada", "Ada", "bob", "eve", "kim", "zoe")]
    kinds: tuple[Callable[[str, str], commands.Command], ...] = (
        lambda user, email: making.register_user(user, email=email),
        lambda user, email: commands.RegisterUserIfAbsent(user_id=user, email=email),
        lambda user, _: commands.RenameUser(user_id=user, name=chance.choice("XY")),
        lambda user, _: commands.ChangePlanTier(user_id=user, plan_tier=chance.choice(tuple(PlanTier))),
        lambda user, email: commands.VerifyEmail(user_id=user, email=email),
        lambda user, email: commands.ChangeEmail(user_id=user, email=email),
        lambda user, email: commands.ChangeEmail(user_id=user, email=email),
        lambda user, email: commands.SetPasswordHash(user_id=user, password_hash=email),
        lambda user, _: commands.DeactivateUser(user_id=user),
        lambda user, _: commands.ReactivateUser(user_id=user),
        lambda user, _: commands.ReactivateUser(user_id=user),
    )
    asked = [chance.choice(kinds)(chance.choice(users), chance.choice(emails)) for _ in range(number)]
    for user in users[:2]:
        asked.insert(chance.randrange(number // 2, number), commands.DeleteUser(user_id=user))
    return asked


@pytest.mark.parametrize("seed", [1, 2])
async def test_commands_on_the_same_users_come_out_the_same_in_any_batching(bench, seed):
    asked = commands_on_few_users(random.Random(seed), 100)
    records = [record(command, command_id=str(number)) for number, command in enumerate(asked)]

    one_by_one, in_batches = await bench.both_ways(records, size=30)

    assert in_batches == one_by_one
    told_by_events, stored = await bench.retold()
    assert told_by_events == stored
    assert len({each["type"] for each in await bench.outbox()}) >= 7
