"""A bad command of every kind, strewn among good ones."""

import random
from collections.abc import Iterator, Mapping
from itertools import cycle
from typing import Final

from domain.commands import Command
from domain.rejections import Code
from messages.refusals import Reason
from tests.bad_records import REFUSED, USER, Build
from tests.ground import GROUND
from tests.making import FakeRecord, record, structured
from tests.rejected_commands import REJECTED

REPEATED: Final[Mapping[str, Build]] = {
    "decided before": lambda _: record(GROUND.command_of_known(), command_id=GROUND.known),
    "decided before, structured": lambda _: structured(GROUND.command_of_known(), command_id=GROUND.known),
}

KINDS: Final[Mapping[str, tuple[str, Build]]] = {
    **{name: (f"dead letter: {reason}", build) for name, (reason, build) in REFUSED.items()},
    **{
        name: ("expired" if code is Code.EXPIRED else f"rejected: {code}", build)
        for name, (code, build) in REJECTED.items()
    },
    **{name: ("duplicate", build) for name, build in REPEATED.items()},
}
"""Every kind of record that changes nothing: as what it is counted, and how it is made."""

UNTRIED: Final[frozenset[Code | Reason]] = frozenset({Reason.UNFETCHABLE, Reason.UNEXPECTED})
"""Codes and reasons that no bad command here is refused with: nothing of them is to be seen in a record."""


def strewn_with_bad(good: Iterator[Command], number: int, *, seed: int) -> list[FakeRecord]:
    """Give commands in order, bad ones of every kind strewn among them, and repeats of earlier ones, bad ones too.

    Some of the bad ones have an id that one before them had.
    """
    chance = random.Random(seed)
    builds = [build for _, build in KINDS.values()]
    chance.shuffle(builds)
    bad = cycle(builds)
    given: list[FakeRecord] = []
    for place in range(number):
        kind = chance.random()
        if kind < 0.26:
            given.append(next(bad)(f"bad-{place}"))
        elif kind < 0.31 and given:
            again = chance.choice(given)
            given.append(FakeRecord(key=again.key, value=again.value, headers=again.headers))
        elif kind < 0.34 and given:
            given.append(record(USER, command_id=f"good-{chance.randrange(place)}"))
        else:
            given.append(record(next(good), command_id=f"good-{place}"))
    return given
