"""All planted bugs, in the order of the way that a command takes."""

from typing import Final

from tests.planted import consuming, relaying
from tests.planted.planting import PlantedBug

BUGS: Final[tuple[PlantedBug, ...]] = (
    consuming.INBOX_IGNORED,
    relaying.POSITION_CURSOR,
    relaying.CURSOR_BEFORE_ACKNOWLEDGEMENT,
)
