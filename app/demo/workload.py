"""What the demo sends: mostly commands that are applied, among them everything that can be wrong with one."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import cycle
from typing import Final

from app.demo.world import World
from domain import commands
from messages.codec import encode_command
from messages.refusals import Reason

USERS_SHARE: Final = 0.1

UNFIT: Final = 0.03
REFUSED: Final = 0.08
NEAR_DUPLICATES: Final = 0.03
FAR_DUPLICATES: Final = 0.05
"""Shares of what is sent after the users: beyond applying, refused by a rule, repeated at once, repeated much later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A record to send, and what should become of it.

    Args:
        kind: what sort it is.
        key, value, headers: of the record.
        source, id: the command's; absent where nobody can read them.
        expected: as `checker.history.Attempt` has it.
    """

    kind: str
    key: bytes
    value: bytes
    headers: Sequence[tuple[str, bytes]]
    source: str | None
    id: str | None
    expected: str


class Workload:
    """Plans what is sent; the same seed, size and time plan the same.

    Args:
        count: how many records, users included.
        seed: of every choice.
        source: CloudEvents `source` of the commands.
        time: their `ce_time`.
        hot_share: of what happens in squads, how much happens in the first few.
    """

    def __init__(self, *, count: int, seed: int, source: str, time: datetime, hot_share: float = 0) -> None:
        self._count = count
        self._source = source
        self._time = time
        self._chance = random.Random(seed)  # noqa: S311 - the same seed must plan the same
        self._world = World(self._chance, hot_share=hot_share)
        self._users: list[Planned] = []
        self._repeatable: list[Planned] = []
        self._unfit = cycle(
            (self._wrong_key, self._no_envelope, self._no_json, self._invalid_data, self._unknown_type, self._conflict)
        )

    def users(self) -> list[Planned]:
        """Plan the users, whom everything after needs."""
        count = max(2, round(self._count * USERS_SHARE))
        self._users = [self._valid(self._world.register_user()) for _ in range(count)]
        return self._users

    def work(self) -> list[Planned]:
        """Plan what happens in the squads, to be sent once the users are applied."""
        return self.more(self._count - len(self._users))

    def more(self, count: int) -> list[Planned]:
        """Plan more of what happens in the squads."""
        return [self._next() for _ in range(count)]

    def steady(self, count: int) -> list[Planned]:
        """Plan commands that are applied, to be sent at a steady rate after `work`."""
        return [self._valid(self._world.create_task()) for _ in range(count)]

    def one_each(self) -> list[Planned]:
        """Plan a command for every squad, each of which is applied, and so is one for a new user."""
        return [self._valid(each) for each in (*self._world.one_each(), self._world.register_user())]

    def _next(self) -> Planned:
        draw = self._chance.random()
        if draw < UNFIT:
            return next(self._unfit)()
        if draw < UNFIT + REFUSED:
            command, code = self._world.refused()
            return self._plan(command, kind="refused by a rule", expected=f"rejected:{code}")
        if draw < UNFIT + REFUSED + NEAR_DUPLICATES:
            return replace(self._repeatable[-1], kind="duplicate")
        if draw < UNFIT + REFUSED + NEAR_DUPLICATES + FAR_DUPLICATES:
            return replace(self._chance.choice(self._repeatable), kind="duplicate")
        return self._valid(self._world.valid())

    def _valid(self, command: commands.Command) -> Planned:
        return self._plan(command, kind="valid", expected="applied")

    def _plan(self, command: commands.Command, *, kind: str, expected: str) -> Planned:
        planned = self._encode(command, self._world.new_id(), kind=kind, expected=expected)
        self._repeatable.append(planned)
        return planned

    def _encode(self, command: commands.Command, command_id: str, *, kind: str, expected: str) -> Planned:
        key, value, headers = encode_command(command, command_id=command_id, source=self._source, time=self._time)
        return Planned(
            kind=kind, key=key, value=value, headers=headers, source=self._source, id=command_id, expected=expected
        )

    # What cannot be applied at all, but by the dead letters

    def _spoil(self, kind: str, reason: Reason) -> Planned:
        """Give a command that would be applied if it were sent as it is."""
        return self._encode(
            self._world.stray_user(), self._world.new_id(), kind=kind, expected=f"dead-lettered:{reason}"
        )

    def _keep(self, planned: Planned) -> Planned:
        self._repeatable.append(planned)
        return planned

    def _wrong_key(self) -> Planned:
        good = self._spoil("wrong key", Reason.KEY_MISMATCH)
        return self._keep(replace(good, key=self._world.new_id().encode()))

    def _no_envelope(self) -> Planned:
        good = self._spoil("unreadable", Reason.UNREADABLE)
        noise = self._chance.randbytes(40)
        return replace(good, value=noise, headers=[("trace", noise[:8])], source=None, id=None)

    def _no_json(self) -> Planned:
        good = self._spoil("unreadable", Reason.UNREADABLE)
        return self._keep(replace(good, value=good.value[:-2]))

    def _invalid_data(self) -> Planned:
        good = self._spoil("invalid data", Reason.INVALID_DATA)
        return self._keep(replace(good, value=good.value[:-1] + b',"nickname":"Ada"}'))

    def _unknown_type(self) -> Planned:
        good = self._spoil("unknown type", Reason.UNKNOWN_TYPE)
        headers = [(name, b"user.befriend.v1" if name == "ce_type" else value) for name, value in good.headers]
        return self._keep(replace(good, headers=headers))

    def _conflict(self) -> Planned:
        first = self._chance.choice(self._users)
        other = commands.RegisterUser(
            user_id=first.key.decode(), email=f"{self._world.new_id()}@example.org", name="Somebody else"
        )
        return self._encode(other, first.id or "", kind="id conflict", expected=f"dead-lettered:{Reason.ID_CONFLICT}")
