"""Messages are told apart by what they belong to, and each is cut at in its turn."""

import struct
from collections.abc import Iterator
from itertools import count

from tests.faults.framing import Direction
from tests.faults.rules import Cut, Message
from tests.faults.spans import BATCH, Moment, Moments, Sweep

LOCK = "SELECT topic, partition, next_offset, now() FROM checkpoints"


class Client:
    """Says what a connection says in a batch, until it is cut."""

    numbers = count(1)

    def __init__(self) -> None:
        self.connection, self._number, self._prepared = next(self.numbers), 0, False

    def batch(self, *, lock: str = LOCK) -> Iterator[Message]:
        yield from self._query("BEGIN ISOLATION LEVEL READ COMMITTED;", "BEGIN")
        if not self._prepared:
            yield self._say("request", "Parse", b"name\0" + lock.encode() + b"\0\0\0")
            yield self._say("answer", "ParseComplete")
            self._prepared = True
        yield self._say("request", "Bind", b"\0name\0")
        for _ in range(3):
            yield self._say("answer", "DataRow")
        yield self._say("answer", "ReadyForQuery")
        yield from self._query("COMMIT;", "COMMIT")

    def _query(self, statement: str, tag: str) -> Iterator[Message]:
        yield self._say("request", "Query", statement.encode() + b"\0")
        yield self._say("answer", "CommandComplete", tag.encode() + b"\0")
        yield self._say("answer", "ReadyForQuery")

    def _say(self, direction: Direction, kind: str, body: bytes = b"") -> Message:
        self._number += 1
        raw = b"?" + struct.pack(">i", 4 + len(body)) + body
        return Message(connection=self.connection, direction=direction, number=self._number, kind=kind, raw=raw)


def run(rule: Sweep | Moments, *, batches: int, lock: str = LOCK) -> list[Message]:
    """Let clients do batches, each a new one after a cut; give where they were cut."""
    cuts, client = [], Client()
    for _ in range(batches):
        taken = next((message for message in client.batch(lock=lock) if rule.takes(message)), None)
        if taken is not None:
            cuts.append(taken)
            client = Client()
    return cuts


def test_every_message_of_a_new_connections_batch_is_cut_at_once() -> None:
    sweep = Sweep(BATCH, warm=False)
    sweep.is_armed = True
    run(sweep, batches=20)
    # BEGIN and its answers, preparing, the statement with its rows as one, COMMIT and its answers.
    assert [number for number, _, _ in sweep.cuts] == list(range(1, 12))
    assert sweep.cuts[6] == (7, "answer", "DataRow")
    assert sweep.happened.is_set()


def test_warm_connection_has_had_a_whole_batch() -> None:
    sweep = Sweep(BATCH, every=2)
    sweep.is_armed = True
    cuts = run(sweep, batches=30)
    assert [number for number, _, _ in sweep.cuts] == [1, 3, 5, 7, 9]
    assert cuts[0].number > 9
    assert sweep.happened.is_set()


def test_other_transactions_are_left_alone_but_for_their_beginning() -> None:
    sweep = Sweep(BATCH, warm=False)
    sweep.is_armed = True
    run(sweep, batches=20, lock="SELECT something")
    assert [kind for _, _, kind in sweep.cuts] == ["Query", "CommandComplete", "ReadyForQuery"]


def test_nothing_is_done_before_it_is_armed() -> None:
    sweep = Sweep(BATCH)
    assert run(sweep, batches=10) == []


def test_moments_come_one_after_another_each_in_a_span_of_its_own() -> None:
    ends = [Cut(), Cut(passed="all")]
    moments = Moments(
        BATCH, [Moment(statement="COMMIT;", direction="request", kind="Query", action=each) for each in ends]
    )
    moments.is_armed = True
    done = []
    client = Client()
    for _ in range(4):
        for message in client.batch():
            if moments.takes(message):
                done.append(moments.action)
                assert b"COMMIT" in message.raw
                client = Client()
                break
    assert done == ends
    assert moments.happened.is_set()
