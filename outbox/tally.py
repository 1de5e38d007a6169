"""What the relays of a process did since it began: plain numbers for whoever shows them."""

from collections import Counter

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
        unknown: batches and single records of which it is not known whether Kafka has them, and which are sent again.
        producers: Kafka producers opened.
        unavailable: publishers that wait for Kafka at this moment.
        interruptions: how often a relay lost the database and began anew.
    """

    def __init__(self) -> None:
        self.page_seconds = Distribution(SECONDS)
        self.page_rows = Distribution(ROWS)
        self.refused: Counter[Way] = Counter()
        self.withheld = 0
        self.unknown = 0
        self.producers = 0
        self.unavailable = 0
        self.interruptions = 0

    def note_page(self, rows: int, seconds: float, settled: Settled) -> None:
        """Count a page whose cursor is stored."""
        self.page_rows.note(rows)
        self.page_seconds.note(seconds)
        if settled:
            held = sum(each.behind is None for each in settled.held)
            self.refused["hold"] += held
            self.refused["divert"] += len(settled.diverted)
            self.refused["skip"] += len(settled.skipped)
            self.withheld += len(settled.held) - held

    @property
    def published(self) -> int:
        """Rows of pages that are on their topics."""
        return round(self.page_rows.sum) - sum(self.refused.values()) - self.withheld
