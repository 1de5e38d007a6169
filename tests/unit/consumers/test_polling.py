"""What a lane tells of polls that fail."""

import asyncio
import logging
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError

from consumers.assignment import Assignment
from consumers.checkpoints import Checkpoint
from consumers.polling import Polling
from consumers.records import Partition


class FailingClient:
    """Fails so many polls, and gives nothing from then on."""

    def __init__(self, failures: int) -> None:
        self._left = failures

    async def getmany(self, *_: object, **__: object) -> dict[Any, Any]:
        if self._left:
            self._left -= 1
            raise KafkaConnectionError("no broker")
        await asyncio.sleep(0)
        return {}

    def highwater(self, _: object) -> None:
        """Nothing is known of the log."""

    last_poll_timestamp = last_stable_offset = highwater

    async def position(self, _: object) -> int:
        return 0


async def test_polls_that_fail_are_told_when_that_begins_and_when_it_is_over(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    partition = Partition("commands", 0)
    assignment = Assignment(lanes=1, max_records=10, max_bytes=1000)
    assignment.assign([partition])
    polling = Polling(
        consumer=FailingClient(5),
        assignment=assignment,
        max_records=10,
        poll_seconds=0,
        accept_producer_time=False,
    )
    for _ in range(6):
        assignment.adopt(partition, Checkpoint(next_offset=0))
        await polling.poll_once(0)
    told = [record.getMessage() for record in caplog.records if "polling" in record.getMessage()]
    assert [text.partition(":")[0] for text in told] == [
        "polling failed, reading again from the checkpoints, trying for as long as it takes",
        "polling failed, reading again from the checkpoints",
    ]
    assert not polling.failing
