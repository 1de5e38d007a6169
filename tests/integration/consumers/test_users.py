"""Commands on users, through the processor: what is stored, told and answered."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable

import pytest
from sqlalchemy.exc import DBAPIError

from db.errors import Failure, classify
from domain import commands
from domain.values import PlanTier
from tests import making
from tests.applying import Bench
from tests.making import FakeRecord, new_id, record, structured


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


async def test_emails_are_passed_on_and_exchanged_within_a_batch(bench):
    """Each is unique at every moment, also while the rows of the batch are written one after another."""
    ada, bob, eve = (new_id() for _ in range(3))
    await bench.apply(
        record(making.register_user(ada, email="ada@x")), record(making.register_user(bob, email="bob@x"))
    )

    def change(user_id: str, email: str) -> FakeRecord:
        return record(commands.ChangeEmail(user_id=user_id, email=email))

    await bench.apply(change(ada, "tmp@x"), change(bob, "ada@x"), change(ada, "bob@x"))
    await bench.apply(change(ada, "new@x"), record(making.register_user(eve, email="BOB@x")), change(bob, "eve@x"))

    assert {each["outcome"] for each in await bench.outcomes()} == {"applied"}
    assert dict(await bench.rows("SELECT id::text, email_key FROM users")) == {ada: "new@x", bob: "eve@x", eve: "bob@x"}


async def test_password_hash_is_stored_and_kept_and_nothing_else_knows_it(bench, caplog):
    user_id = new_id()

    def set_hash(password_hash: str, command_id: str | None = None) -> FakeRecord:
        return record(commands.SetPasswordHash(user_id=user_id, password_hash=password_hash), command_id=command_id)

    await bench.apply(record(making.register_user(user_id)), set_hash("$hash-one"))
    assert await bench.rows("SELECT password_hash FROM users") == [("$hash-one",)]
    await bench.apply(record(commands.RenameUser(user_id=user_id, name="Grace")))
    assert await bench.rows("SELECT name, password_hash FROM users") == [("Grace", "$hash-one")]
    await bench.apply(set_hash("$hash-two", "1"))
    assert await bench.rows("SELECT password_hash FROM users") == [("$hash-two",)]
    counts = await bench.apply(set_hash("$hash-three", "1"))

    assert counts == Counter({"dead letter: id-conflict": 1})
    assert await bench.rows("SELECT password_hash FROM users") == [("$hash-two",)]
    for table in ("inbox", "outbox"):
        told = "".join(row[0] for row in await bench.rows(f"SELECT t::text FROM {table} t"))
        assert b"user.set-password-hash.v1".hex() in told
        assert "$hash" not in told
        assert b"$hash".hex() not in told
    assert "$hash" not in caplog.text


async def test_dead_letter_of_a_command_with_a_secret_is_published_without_its_value(bench):
    command = commands.SetPasswordHash(user_id=new_id(), password_hash="$hash")
    wrong = record(command, command_id="1")
    wrong.key = b"elsewhere"
    whole_event = structured(command, command_id="2")
    whole_event.key = b"elsewhere"

    await bench.apply(wrong, whole_event)

    assert await bench.rows("SELECT value FROM dead_letters ORDER BY command_id") == [
        (wrong.value,),
        (whole_event.value,),
    ]
    published = await bench.rows(
        "SELECT body, header_names, header_values FROM outbox WHERE topic = 'squad.dead-letters' ORDER BY position"
    )
    assert [body for body, _, _ in published] == [b"", b""]
    for letter, (_, names, values) in zip((wrong, whole_event), published, strict=True):
        told = dict(zip(names, values, strict=True))
        assert told["dead-letter-cut-from-bytes"] == str(len(letter.value or b"")).encode()
        assert not [value for value in values if b"$hash" in value]


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
    )
    return [chance.choice(kinds)(chance.choice(users), chance.choice(emails)) for _ in range(number)]


@pytest.mark.parametrize("seed", range(3))
async def test_commands_on_the_same_users_come_out_the_same_in_any_batching(bench, seed):
    asked = commands_on_few_users(random.Random(seed), 120)
    records = [record(command, command_id=str(number)) for number, command in enumerate(asked)]

    one_by_one, in_batches = await bench.both_ways(records, size=30)

    assert in_batches == one_by_one
    told_by_events, stored = await bench.retold()
    assert told_by_events == stored
    assert {each["type"] for each in await bench.outbox()} >= {"user.email-changed.v1", "user.email-verified.v1"}


async def test_rivals_for_two_emails_end_with_one_owner_each(database):
    """Two consumers give the same e-mails, in opposite order, to their own users: nothing is stuck, nobody shares."""
    benches = [Bench(database) for _ in range(2)]
    users = [[new_id() for _ in range(2)] for _ in benches]
    for number, bench in enumerate(benches):
        await bench.apply(*(record(making.register_user(user)) for user in users[number]), partition=number)

    async def change(number: int) -> None:
        emails = ["one@x", "two@x"][:: 1 - 2 * number]
        asked = [
            record(commands.ChangeEmail(user_id=user, email=email))
            for user, email in zip(users[number], emails, strict=True)
        ]
        batch = await benches[number].batch(asked, partition=number)
        while True:
            try:
                await benches[number].processor.apply(batch)
            except DBAPIError as error:
                if classify(error) not in {Failure.CLASH, Failure.TRANSIENT}:
                    raise
            else:
                return

    await asyncio.gather(change(0), change(1))

    assert len(await benches[0].rows("SELECT id FROM users WHERE email_key IN ('one@x', 'two@x')")) == 2
