"""Whether there is room is asked less and less often, and at once where nobody asked for a while."""

from typing import Any, cast

import pytest

from consumers import parking, room
from consumers.parking import ParkingLimits
from consumers.records import Partition
from consumers.room import Room

P0 = Partition("squad.commands", 0)


async def test_room_is_looked_for_less_and_less_often_until_there_is_some(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, free, looks = [0.0], False, list[float]()

    async def has_room(*_: object) -> bool:
        looks.append(clock[0])
        return free

    monkeypatch.setattr(room, "monotonic", lambda: clock[0])
    monkeypatch.setattr(parking, "has_room", has_room)
    asked, session = Room(limits=ParkingLimits(), first_seconds=1, most_seconds=8), cast("Any", None)

    async def ask(first: int, last: int) -> list[int]:
        """Ask every second; give when there was room."""
        found = []
        for second in range(first, last):
            clock[0] = second
            found += [second] if await asked.find(session, {P0: ["a squad"]}) else []
        return found

    assert await ask(0, 30) == []
    assert looks == [0, 1, 3, 7, 15, 23]
    free = True
    assert await ask(30, 33) == [31, 32], "as often as at first"
    assert await asked.find(session, {}) == set()
    assert len(looks) == 8
