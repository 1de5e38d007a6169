"""What the relays of a process did since it began: plain numbers for whoever shows them."""

from collections import Counter
from datetime import UTC, datetime

from db.distribution import ROWS, SECONDS, Distribution
from outbox.refused import Way
from outbox.settling import Settled


class Tally:
    """Counts; one for all relays and publishers of a process, because these come and go with their leases.

    Attributes:
        page_seconds: from a page that was read to its stored cursor, acknowledgements and refused rows included.
        page_rows: of which so many rows.
        refused: rows that Kafka refused for good, by what was done with them.
        withheld: rows that wait behind a refused one of their topic and key.
        set_aside: rows that waited for a topic or partition that took nothing.
        tried_again: those of them that wait no longer.
        unknown: batches and single records of which it is not known whether Kafka has them, and which are sent again.
        producers: Kafka producers opened.
        unavailable: publishers that wait for Kafka at this moment.
        interruptions: how often a relay lost the database and began anew.
        last_error: when and why it did the last time.
    """

    def __init__(self) -> None:
        self.page_seconds = Distribution(SECONDS)
        self.page_rows = Distribution(ROWS)
        self.refused: Counter[Way] = Counter()
        self.withheld = 0
        self.set_aside = 0
        self.tried_again = 0
        self.unknown = 0
        self.producers = 0
        self.unavailable = 0
        self.interruptions = 0
        self.last_error: tuple[datetime, str] | None = None

    def note_interruption(self, said: str, *, is_news: bool) -> None:
        """Keep what was said of the database that was lost; only what is news is counted."""
        self.interruptions += is_news
        self.last_error = (datetime.now(UTC), said)

    def note_page(self, rows: int, seconds: float, settled: Settled) -> None:
        """Count a page whose cursor is stored."""
        self.page_rows.note(rows)
        self.page_seconds.note(seconds)
        if settled:
            aside = sum(each.awaits is not None for each in settled.held)
            held = sum(each.behind is None and each.awaits is None for each in settled.held)
            self.set_aside += aside
            self.refused["hold"] += held
            self.refused["divert"] += len(settled.diverted)
            self.refused["skip"] += len(settled.skipped)
            self.withheld += len(settled.held) - held - aside

    @property
    def published(self) -> int:
        """Rows of pages that are on their topics."""
        left_out = sum(self.refused.values()) + self.withheld + self.set_aside
        return round(self.page_rows.sum) - left_out + self.tried_again
