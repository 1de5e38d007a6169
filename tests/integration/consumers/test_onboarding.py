"""Onboarding through the processor: one command, two streams, each with its own versions."""

from dataclasses import replace

from domain.commands import OnboardUser
from tests import making
from tests.making import new_id, record


def onboard(squad_id: str | None = None, user_id: str | None = None) -> OnboardUser:
    user_id = user_id or new_id()
    return OnboardUser(
        squad_id=squad_id or new_id(),
        user_id=user_id,
        email=f"{user_id}@example.org",
        name="Kim",
        squad_name="Red",
        roles=("developer", "tester"),
    )


async def test_user_squad_and_members_begin_together_or_not_at_all(bench):
    command, user_id = onboard(), new_id()
    rival = onboard(squad_id=command.squad_id)

    await bench.apply(
        record(command),
        record(rival),
        record(making.register_user(user_id)),
        record(onboard(user_id=user_id)),
        record(making.create_project(command.squad_id)),
    )

    outcomes = [(each["outcome"], each["code"], each["version"]) for each in await bench.outcomes()]
    assert outcomes == [
        ("applied", None, 1),
        ("rejected", "squad-exists", 1),
        ("applied", None, 1),
        ("rejected", "user-exists", None),
        ("applied", None, 2),
    ]
    events = [(each["key"], each["type"], each["sequence"]) for each in await bench.outbox()]
    assert events == [
        (command.user_id, "user.registered.v1", 1),
        (command.squad_id, "squad.created.v1", 1),
        (user_id, "user.registered.v1", 1),
        (command.squad_id, "squad.project-created.v1", 2),
    ]
    assert await bench.rows("SELECT id::text, user_id::text FROM squads") == [(command.squad_id, command.user_id)]
    assert await bench.rows("SELECT role FROM squad_members ORDER BY role") == [("developer",), ("tester",)]
    assert {row[0] for row in await bench.rows("SELECT id::text FROM users")} == {command.user_id, user_id}
    told_by_events, stored = await bench.retold()
    assert told_by_events == stored


async def test_user_stays_without_an_optional_squad_and_the_outcome_says_so(bench):
    first = onboard()
    second = replace(onboard(squad_id=first.squad_id), squad_optional=True)
    await bench.apply(record(first), record(making.create_project(first.squad_id)))

    counts = await bench.apply(record(second, command_id="second"))
    again = await bench.apply(record(second, command_id="second"))

    assert (counts["applied"], counts["event"], again["duplicate"]) == (1, 1, 1)
    outcomes = (await bench.outcomes())[-2:]
    assert [(each["refused"], each["version"], len(each["event_ids"])) for each in outcomes] == [
        ({"squad": "squad-exists"}, 2, 1)
    ] * 2
    assert (await bench.outbox())[-1]["key"] == second.user_id
    assert await bench.rows("SELECT user_id::text FROM squads") == [(first.user_id,)]
    assert len(await bench.rows("SELECT id FROM users")) == 2
    told_by_events, stored = await bench.retold()
    assert told_by_events == stored
