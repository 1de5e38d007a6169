"""A client of Kafka that a test wedges as it likes, and a clock that it moves."""

import asyncio
from time import monotonic
from types import SimpleNamespace
from typing import Any

from aiokafka.errors import KafkaConnectionError

from consumers.checkpoints import Checkpoint
from consumers.records import Partition

HERE = Partition("squad.commands", 0)
BEGIN = Checkpoint(next_offset=0)


class Clock:
    """The real one, and ahead of it by what a test says."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return monotonic() + self.ahead


class FakeClient:
    """Answers at once, and that there is nothing; all of its tasks live."""

    def __init__(self) -> None:
        self._fetcher = SimpleNamespace(_fetch_task=alive())
        self._coordinator = SimpleNamespace(
            _coordination_task=alive(), _heartbeat_task=alive(), _group_instance_id=None, check_errors=lambda: None
        )
        self.fails = False
        self.hangs = False
        self.answers = 0
        self.end = 0

    async def getmany(self, *_: object, **__: object) -> dict[Any, Any]:
        if self.fails:
            raise KafkaConnectionError("no broker")
        if self.hangs:
            await alive()
        await asyncio.sleep(0)
        return {}

    async def beginning_offsets(self, handles: Any) -> dict[Any, int]:
        if self.fails:
            raise KafkaConnectionError("no broker")
        return dict.fromkeys(handles, 0)

    end_offsets = beginning_offsets

    def highwater(self, _: object) -> int:
        return self.end

    last_stable_offset = highwater

    def last_poll_timestamp(self, _: object) -> int:
        return self.answers

    async def position(self, _: object) -> int:
        return 0

    def partitions_for_topic(self, _: object) -> set[int]:
        return {0}


def alive() -> asyncio.Future[None]:
    """Stand for a task that goes on for ever."""
    return asyncio.get_running_loop().create_future()
