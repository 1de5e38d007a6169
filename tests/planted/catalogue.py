"""All planted bugs, in the order of the way that a command takes."""

from typing import Final

from tests.planted import crashing, deciding, kafka, relaying, writing
from tests.planted.planting import HarmlessChange, PlantedBug

BUGS: Final[tuple[PlantedBug, ...]] = (
    kafka.KAFKA_OFFSET,
    deciding.BEGINNING_NOT_COMPARED,
    deciding.ZOMBIE_NOT_FENCED,
    deciding.INBOX_IGNORED,
    deciding.HASH_IGNORED,
    deciding.SKIPPED_ON_DECODE_ERROR,
    deciding.COMMIT_ALONE_AGAIN,
    deciding.REDONE_WITH_STALE_STATE,
    writing.ROOT_NOT_LOCKED,
    writing.POSITIONS_BEFORE_LOCKS,
    writing.SEQUENCE_CACHED,
    writing.SEQUENCE_SET_BACK,
    writing.DETACHED_BEFORE_CHECK,
    relaying.POSITION_CURSOR,
    relaying.BOUND_INSIDE,
    crashing.CURSOR_KEPT,
    relaying.CURSOR_BEFORE_ACKNOWLEDGEMENT,
    kafka.BATCHES_UNAWAITED,
    relaying.TWO_RELAYS,
    relaying.REFUSED_ROW_SKIPPED,
    relaying.CANCELLATION_SWALLOWED,
)

HARMLESS: Final[tuple[HarmlessChange, ...]] = (writing.EVENTS_BEFORE_STATE,)
