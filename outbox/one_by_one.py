"""Records one by one, through the producer that is not idempotent: each is published, refused, or waits for its place.

So one knows which record of a failed batch is refused, and no failure burns the sequence numbers of what follows.
"""

from typing import Final

from outbox import kafka_errors
from outbox.kafka_errors import UNKNOWN, Blame
from outbox.patience import Patience
from outbox.sending import Sending
from outbox.shares import Share
from outbox.troubles import Place
from outbox.wire import Record

_TRIAL_SECONDS: Final = 2.0
"""How long a place that takes nothing may take to take one record after all; all others wait meanwhile."""


class OneByOne:
    """Publishes a share's records, each alone and awaited before the next.

    Args:
        sending: has the producer.
        patience: with what is not taken.
    """

    def __init__(self, *, sending: Sending, patience: Patience) -> None:
        self._sending = sending
        self._patience = patience

    async def publish(self, share: Share, *, once: bool) -> None:
        """Publish all that a share has; `once` as `publish_first` has it."""
        while share.waiting:
            await self.publish_first(share, once=once)

    async def publish_first(self, share: Share, *, once: bool) -> None:
        """Publish the first record of a share or refuse it, for as long as it takes or until the share must wait.

        Args:
            share: with a record at least.
            once: whether the share waited already, and is given back if the record is not taken at once.
        """
        for seconds in self._patience.waits():
            try:
                reason = await self._send(share.place, share.waiting[0], once=once)
            except UNKNOWN as error:
                self._patience.note(share.place, error)
                if kafka_errors.classify(error) is Blame.KAFKA:
                    await self._sending.give_up_single()
                if await self._patience.give_in(share.place, error, seconds, once=once):
                    self._patience.set_aside(share)
                    return
            else:
                if reason is None:
                    del share.waiting[0]
                else:
                    share.refuse(reason)
                return
        raise AssertionError("unreachable: the waits have no end")

    async def _send(self, place: Place, record: Record, *, once: bool) -> str | None:
        """Send one record; give the reason if it is refused."""
        producer = await self._sending.open_single()
        batch, count = self._sending.fill(producer, [record])
        if not count:
            return self._sending.too_large
        await self._sending.check_leader(producer, place)
        reason = None
        try:
            await self._sending.send(producer, batch, place, timeout_seconds=_TRIAL_SECONDS if once else None)
        except UNKNOWN as error:
            if kafka_errors.classify(error) is not Blame.RECORD:
                raise
            reason = repr(error)
        self._patience.troubles.note_taken(place)
        return reason
