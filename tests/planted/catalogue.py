"""All planted bugs, in the order of the way that a command takes."""

from typing import Final

from tests.planted import appending, committing, crashing, days, deciding, kafka, parking, publishing, relaying, writing
from tests.planted.planting import HarmlessChange, PlantedBug

BUGS: Final[tuple[PlantedBug, ...]] = (
    kafka.KAFKA_OFFSET,
    committing.BEGINNING_NOT_COMPARED,
    committing.ZOMBIE_NOT_FENCED,
    deciding.INBOX_IGNORED,
    deciding.HASH_IGNORED,
    deciding.SKIPPED_ON_DECODE_ERROR,
    deciding.DECIDED_OUT_OF_ORDER,
    parking.PARKED_STREAMS_IGNORED,
    parking.PARKED_RECORDS_NOT_KEPT,
    parking.PARKED_RECORDS_OUT_OF_ORDER,
    committing.CHECKPOINT_AT_THE_LAST_RECORD,
    committing.COMMIT_ALONE_AGAIN,
    committing.REDONE_WITH_STALE_STATE,
    committing.PUBLISHED_BEFORE_COMMIT,
    writing.ROOT_NOT_LOCKED,
    appending.POSITIONS_BEFORE_LOCKS,
    appending.EVENTS_COMMITTED_BEFORE_STATE,
    appending.EVENTS_TOLD_BEFORE_STATE,
    writing.SEQUENCE_CACHED,
    days.SEQUENCE_SET_BACK,
    days.SEQUENCE_SET_BACK_FOR_GOOD,
    days.DETACHED_BEFORE_CHECK,
    relaying.POSITION_CURSOR,
    relaying.BOUND_INSIDE,
    crashing.CURSOR_KEPT,
    relaying.CURSOR_BEFORE_ACKNOWLEDGEMENT,
    kafka.BATCHES_UNAWAITED,
    publishing.TWO_RELAYS,
    publishing.REFUSED_ROW_SKIPPED,
    publishing.CANCELLATION_SWALLOWED,
)

HARMLESS: Final[tuple[HarmlessChange, ...]] = (appending.EVENTS_BEFORE_STATE,)
