"""What the log says of an outage in which another client finds no broker either."""

import logging
import socket
from itertools import repeat
from typing import Any, cast

import pytest

from consumers import succession
from consumers.membership import Membership
from consumers.source import Source
from consumers.watchdog import Stall

AWAY = "no broker answers another client either"
STALL = Stall("nothing is heard of squad.commands[3]", 60)


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Give what was told without asking for debugging, and by us; up to the first colon."""
    ours = (each for each in caplog.records if each.name == "squad.source" and each.levelno >= logging.INFO)
    return [each.getMessage().partition(":")[0] for each in ours]


async def test_outage_is_told_when_it_begins_and_when_it_is_over_however_often_it_is_tried(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(succession, "jittered_seconds", lambda **_: repeat(0.0))
    # Bound and not listened on: whoever connects is refused at once.
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        source = Source(
            database=cast("Any", None),
            group="group",
            topic="squad.commands",
            client={"bootstrap_servers": f"127.0.0.1:{nobody.getsockname()[1]}"},
            membership=Membership(),
        )
        during = ["the Kafka client stands still", f"{AWAY}, trying for as long as it takes"]
        for _ in range(4):
            assert await source._succession._find_another(STALL) is None
        assert told(caplog) == during
        source._succession._note_getting_on()
        source._succession._note_getting_on()
        assert told(caplog) == [*during, AWAY], "over once"
        # What stands still another time is another matter, with its own stacks.
        assert await source._succession._find_another(STALL) is None
        assert told(caplog) == [*during, AWAY, *during]
        await source._succession.member.close(seconds=1)
