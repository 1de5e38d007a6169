"""E-mails are unique at every moment: also within a batch, and between rival consumers."""

import asyncio

from sqlalchemy.exc import DBAPIError

from db.errors import Failure, classify
from domain import commands
from tests import making
from tests.applying import Bench, StatementCounter
from tests.making import FakeRecord, new_id, record


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


async def test_whoever_came_to_have_the_email_keeps_it(bench):
    """Which e-mail a reactivated user has only their row says, not the command."""
    ada, bob = new_id(), new_id()
    await bench.apply(record(making.register_user(ada, email="Ada@x")))
    await bench.apply(record(commands.DeactivateUser(user_id=ada)), record(making.register_user(bob, email="ada@x")))

    await bench.apply(record(commands.ReactivateUser(user_id=ada)))
    assert (await bench.outcomes())[-1]["code"] == "email-taken"
    await bench.apply(record(commands.DeactivateUser(user_id=bob)), record(commands.ReactivateUser(user_id=ada)))
    assert (await bench.outcomes())[-1]["outcome"] == "applied"


async def test_a_batch_of_users_costs_a_fixed_number_of_statements(bench):
    async def cost(number: int) -> int:
        users = [new_id() for _ in range(number)]
        await bench.apply(*(record(making.register_user(user, email=f"{user}@x")) for user in users))
        asked: list[commands.Command] = []
        for user in users:
            asked.append(commands.ChangeEmail(user_id=user, email=f"new-{user}@x"))
            asked.append(making.register_user(email=f"{user}@x"))
            asked.append(commands.SetPasswordHash(user_id=user, password_hash="$hash"))
            asked.append(commands.DeactivateUser(user_id=user))
            asked.append(commands.ReactivateUser(user_id=user))
            asked.append(commands.DeleteUser(user_id=user))
        with StatementCounter(bench.database) as counter:
            counts = await bench.apply(*map(record, asked))
        assert counts["applied"] == 6 * number
        return len(counter.statements)

    assert await cost(60) == await cost(2)
