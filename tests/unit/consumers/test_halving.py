"""Failures that a batch's own records may cause are blamed on them only while the database answers otherwise."""

from collections import Counter
from datetime import UTC, datetime, timedelta

from sqlalchemy.exc import DBAPIError

from consumers.culprits import Culprit
from consumers.failures import Settler
from consumers.records import Batch, Partition
from consumers.suspicion import Suspicion
from tests.making import TOPIC, FakeRecord
from tests.sources import Readers


class LostConnectionError(Exception):
    """As the driver tells a connection that was lost without a word."""

    sqlstate = "08003"


def lost() -> DBAPIError:
    return DBAPIError("INSERT", {}, LostConnectionError(), connection_invalidated=True)


class TimeoutOfStatementError(Exception):
    sqlstate = "57014"


class Server:
    """Fails with every batch that has a certain offset, and answers probes after so many that it does not.

    With `crashes` it begins a new life each time it fails.
    """

    def __init__(
        self,
        error: Exception,
        *,
        culprit: int = -1,
        silent_probes: int = 0,
        failures: int = 10**6,
        crashes: bool = False,
    ) -> None:
        self.error, self.culprit, self.silent_probes, self.failures = error, culprit, silent_probes, failures
        self.crashes, self.since = crashes, datetime(2026, 1, 1, tzinfo=UTC)
        self.sizes: list[int] = []
        self.letters: list[int] = []
        self.applied: list[int] = []

    async def apply(self, batch: Batch, culprit: Culprit | None = None) -> Counter[str]:
        offsets = [record.offset for record in batch.records]
        if culprit is not None:
            self.letters += offsets
            return Counter()
        self.sizes.append(len(offsets))
        if self.failures > 0 and (self.culprit in offsets or self.culprit < 0):
            self.failures -= 1
            self.since += self.crashes * timedelta(seconds=1)
            raise self.error
        self.applied += offsets
        return Counter()

    async def probe(self) -> datetime:
        if self.silent_probes:
            self.silent_probes -= 1
            raise ConnectionRefusedError
        return self.since


async def settle(server: Server, *, attempts: int = 2) -> Settler:
    settler = Settler(
        processor=server,
        source=Readers(),
        probe=server.probe,
        attempts=attempts,
        halving_attempts=3,
        backoff_seconds=0.0001,
        backoff_most_seconds=0.0002,
    )
    records = [FakeRecord(key=b"", value=b"", offset=offset) for offset in range(4)]
    await settler.settle(Batch(records, {Partition(TOPIC, 0): 0}, 1))
    return settler


async def test_records_that_crash_the_backend_are_halved_until_the_culprit_is_alone():
    server = Server(lost(), crashes=True, culprit=2)

    await settle(server)

    assert server.applied == [0, 1, 3]
    assert server.letters == [2]
    once, alone = 1 + 3, 2 * (1 + 3)
    assert server.sizes == [*[4] * once, 2, *[2] * once, *[1] * alone, 1], "what is known of crashes begins with one"


async def test_database_that_is_away_between_the_crashes_is_waited_for():
    server = Server(lost(), crashes=True, culprit=2, silent_probes=50)

    await settle(server)

    assert server.silent_probes == 0
    assert server.letters == [2]


async def test_network_that_cuts_connections_again_and_again_blames_nobody():
    server = Server(lost(), failures=40)

    settler = await settle(server)

    assert server.applied == [0, 1, 2, 3]
    assert settler.tally.bisections == 0


async def test_crashes_between_which_connections_are_only_cut_blame_nobody():
    suspicion = Suspicion(attempts=2)
    began = datetime(2026, 1, 1, tzinfo=UTC)
    lives = [0, 1, 1, 2, 2, 3, 4]

    blames = []
    for life in lives:
        suspicion.meet(lost())
        suspicion.hear(began + timedelta(seconds=life))
        blames.append(suspicion.blames)

    assert blames == [False] * 6 + [True], "two in a row"


async def test_two_failures_in_a_row_blame_nobody():
    server = Server(TimeoutOfStatementError(), failures=2)

    settler = await settle(server)

    assert server.applied == [0, 1, 2, 3]
    assert settler.tally.bisections == 0


async def test_failures_that_the_server_explains_otherwise_blame_nobody():
    """It ends connections for a shutdown, or there is none to be had: the same batch again, however often."""
    shutdown = LostConnectionError()
    shutdown.sqlstate = "57P01"
    for error in (DBAPIError("INSERT", {}, shutdown, connection_invalidated=True), ConnectionRefusedError()):
        server = Server(error, failures=40)

        settler = await settle(server)

        assert server.applied == [0, 1, 2, 3]
        assert settler.tally.bisections == 0
