"""Dead letters that are redriven and discarded, without Kafka; and what became of their commands."""

from typing import Any

from consumers.letter_locks import Act
from consumers.redrive import Ending, Redriver
from consumers.redrive_orders import Order
from consumers.redrive_step import Step
from tests import making
from tests.applying import TOPICS, Bench
from tests.making import FakeRecord, new_id, record
from tests.poison import POISON
from tests.settling import Settling, project

REDRIVE = Order(act=Act.REDRIVE, reason="mended", max_replays=3)


DISCARD = Order(act=Act.DISCARD, reason="given up", max_replays=3)


GIVEN_UP = ("dead-lettered", True)


class Redriving(Settling):
    """A bench whose dead letters are redriven; it keeps what it was given."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench)
        self.applied: list[FakeRecord] = []

    async def settle(self, *records: FakeRecord, partition: int = 0) -> None:
        self.applied += records
        await super().settle(*records, partition=partition)

    def redriver(self, **options: Any) -> Redriver:
        step = Step(decoder=self.bench.processor._decoder, topics=TOPICS)
        given: dict[str, Any] = {"attempts": 1, "backoff_seconds": 0.001, "backoff_most_seconds": 0.01}
        return Redriver(database=self.bench.database, step=step, **given | options)

    async def letter(self, command_id: str) -> str:
        [(letter,)] = await self.bench.rows(
            "SELECT CAST(id AS text) FROM dead_letters WHERE command_id = :command_id", command_id=command_id
        )
        return str(letter)

    async def redrive(self, command_id: str, order: Order = REDRIVE, **options: Any) -> Ending:
        return await self.redriver(**options).settle(await self.letter(command_id), order)

    async def states(self) -> dict[str, tuple[str, int]]:
        return {
            row[0]: row[1:] for row in await self.bench.rows("SELECT command_id, state, replay_count FROM dead_letters")
        }

    async def events(self, stream: str) -> list[str]:
        """Give the ids of the commands that changed a stream, in order; numbers have no gaps."""
        events = [each for each in await self.bench.outbox() if each["key"] == stream]
        assert [each["sequence"] for each in events] == list(range(1, len(events) + 1))
        return [each["causation_id"] for each in events]

    async def told(self, command_id: str) -> list[tuple[str, int, bool]]:
        """Give what was published of a command: outcome, revision, final."""
        outcomes = [each for each in await self.bench.outcomes() if each["id"] == command_id]
        return [(each["outcome"], each["revision"], each["final"]) for each in outcomes]

    async def nothing_waits(self) -> bool:
        return await self.bench.rows("SELECT 1 FROM parked UNION ALL SELECT 1 FROM parked_streams") == []


async def park(redriving: Redriving, *, last: int = 5) -> None:
    """Make command 0 a dead letter, with commands 1 and further waiting behind it."""
    await redriving.settle(project(redriving.mine, "0", name=POISON))
    await redriving.settle(*(project(redriving.mine, str(number)) for number in range(1, last + 1)))


async def two_queues(redriving: Redriving) -> tuple[str, str]:
    """Make commands 0 (of a user) and 1 (of a squad) dead letters; 2 writes both, 3 the user, 4 the squad."""
    user, squad = new_id(), new_id()
    await redriving.settle(
        record(making.register_user(user, name=POISON), command_id="0"),
        record(making.create_squad(redriving.ada, squad, name=POISON), command_id="1"),
        record(making.onboard(user, "new@example.org", squad, squad_optional=False), command_id="2"),
        record(making.rename_user(user, "Grace"), command_id="3"),
        project(squad, "4"),
    )
    assert await redriving.parked(user) == [(1, "2"), (2, "3")]
    assert await redriving.parked(squad) == [(1, "2"), (2, "4")]
    return user, squad
