"""What was stopped because too many records wait goes on once there is room, and not with every record that is gone."""

import pytest

from consumers import parking
from consumers.parking import ParkingLimits
from tests.poison import POISON
from tests.settling import execute, project

pytestmark = pytest.mark.usefixtures("poisonous")


@pytest.mark.parametrize("limits", [ParkingLimits(of_stream=4, in_all=100), ParkingLimits(of_stream=100, in_all=4)])
async def test_there_is_room_once_half_of_the_limit_is_gone_or_the_stream_waits_no_more(settling, database, limits):
    settling.bench.processor._parking = limits
    await settling.settle(project(settling.mine, "0", name=POISON))
    await settling.settle(*(project(settling.mine, str(number)) for number in range(1, 9)))
    [awaited] = settling.readers.awaits

    async def has_room() -> bool:
        async with database.sessions() as session:
            return await parking.has_room(session, [awaited], limits)

    found = []
    for number in range(4):
        await execute(database, "DELETE FROM parked WHERE number = :number", number=number)
        found.append(await has_room())
    assert (awaited, found) == (settling.mine, [False, False, True, True])

    limits = ParkingLimits(of_stream=0, in_all=0)
    assert not await has_room()
    await execute(database, "DELETE FROM parked", "DELETE FROM parked_streams")
    assert await has_room()
