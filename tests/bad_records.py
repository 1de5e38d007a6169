"""Records that become dead letters, one of every kind, and how they are made."""

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

from domain import commands
from domain.commands import Command
from messages.refusals import Reason
from tests import making
from tests.ground import FLOOR, GROUND, MONTH, numbered
from tests.making import NOON, FakeRecord, record

Build = Callable[[str], FakeRecord]
"""Makes a bad record; the argument is the command's id."""


def _changed(
    command: Command,
    *,
    key: bytes | None = None,
    value: bytes | None = None,
    headers: Mapping[str, bytes | None] | None = None,
    more: int = 0,
    **options: Any,
) -> Build:
    """Give a good record with something about it changed; a header without value is left out."""

    def build(command_id: str) -> FakeRecord:
        made = record(command, command_id=command_id, **options)
        made.key = made.key if key is None else key
        made.value = made.value if value is None else value
        changes = headers or {}
        made.headers = [each for each in made.headers if each[0] not in changes]
        made.headers += [(name, content) for name, content in changes.items() if content is not None]
        made.headers += [(f"h{number}", b"") for number in range(more)]
        return made

    return build


def of(command: Command, **extensions: str) -> Build:
    return lambda command_id: record(command, command_id=command_id, extensions=extensions)


def _tombstone(command_id: str) -> FakeRecord:
    made = record(USER, command_id=command_id)
    made.value = None
    return made


def _unkeyed(command_id: str) -> FakeRecord:
    made = record(USER, command_id=command_id)
    made.key = None
    return made


USER: Final = making.register_user(numbered(700), "seven@example.org")
"""A command that would be applied, but for what is changed about its record."""

UNREADABLE: Final[Mapping[str, Build]] = {
    "noise": lambda _: FakeRecord(key=b"\xff\x00", value=b"\x00noise", headers=[("n\0ame", b"\xff")]),
    "nothing at all": lambda _: FakeRecord(key=None, value=None),
    "header that is no text": _changed(USER, headers={"ce_subject": b"\xff\xfe"}),
    "time missing": _changed(USER, headers={"ce_time": None}),
    "time of no calendar": _changed(USER, headers={"ce_time": b"2026-02-30T12:00:00Z"}),
    "version that is no number": of(USER, expectedversion="-1"),
    "data cut off": _changed(USER, value=b'{"user_id": "'),
    "data of another content type": _changed(USER, headers={"content-type": b"text/plain"}),
    "tombstone": _tombstone,
    "structured, and not JSON": _changed(
        USER, headers={"content-type": b"application/cloudevents+json"}, value=b"\xff{"
    ),
}

REFUSED: Final[Mapping[str, tuple[Reason, Build]]] = {
    **{name: (Reason.UNREADABLE, build) for name, build in UNREADABLE.items()},
    "type of nobody": (Reason.UNKNOWN_TYPE, _changed(USER, headers={"ce_type": b"user.promote.v1"})),
    "field missing": (Reason.INVALID_DATA, _changed(USER, value=b"{}")),
    "field too many": (
        Reason.INVALID_DATA,
        _changed(
            USER,
            value=json.dumps({"user_id": USER.user_id, "email": USER.email, "name": "Ada", "nmae": "Ada"}).encode(),
        ),
    ),
    "field twice": (
        Reason.INVALID_DATA,
        _changed(
            USER,
            value=f'{{"user_id":"{USER.user_id}","email":"{USER.email}","name":"Ada","name":"Eve"}}'.encode(),
        ),
    ),
    "number that is no whole one": (
        Reason.INVALID_DATA,
        _changed(
            commands.RecordUsage(squad_id=GROUND.elsewhere, metric="tokens", month=MONTH),
            value=f'{{"squad_id":"{GROUND.elsewhere}","metric":"tokens","month":"{MONTH}","amount":1e400}}'.encode(),
        ),
    ),
    "name with a NUL": (Reason.INVALID_DATA, of(making.register_user(USER.user_id, USER.email, "A\0da"))),
    "key of another stream": (Reason.KEY_MISMATCH, _changed(USER, key=GROUND.ada.encode())),
    "no key": (Reason.KEY_MISMATCH, _unkeyed),
    "id used before": (Reason.ID_CONFLICT, lambda _: record(USER, command_id=GROUND.known)),
    "id used before, and invalid": (
        Reason.ID_CONFLICT,
        lambda _: _changed(USER, value=b"{}")(GROUND.known),
    ),
    "source of nobody": (Reason.SOURCE_FORBIDDEN, _changed(USER, source="/thief")),
    "source that may not send this": (
        Reason.SOURCE_FORBIDDEN,
        _changed(making.create_squad(GROUND.ada, numbered(701)), source="/shop"),
    ),
    "reply to a topic that is not listed": (Reason.REPLY_FORBIDDEN, of(USER, replyto="squad.commands")),
    "record too large": (Reason.TOO_LARGE, _changed(USER, value=b" " * 1_048_577)),
    "too many headers": (Reason.TOO_LARGE, _changed(USER, more=65)),
    "too deep": (Reason.TOO_LARGE, _changed(USER, value=b"[" * 40 + b"]" * 40)),
    "too many values": (Reason.TOO_LARGE, _changed(USER, value=b"[" + b"1," * 10_000 + b"1]")),
    "sent too long ago": (Reason.TOO_OLD, _changed(USER, time=NOON - timedelta(days=8))),
    "sent before the floor": (Reason.TOO_OLD, _changed(USER, time=FLOOR)),
    "sent in the last microsecond of all": (
        Reason.FROM_THE_FUTURE,
        _changed(USER, headers={"ce_time": b"9999-12-31T23:59:59.999999Z"}),
    ),
    "sent in the first year": (Reason.TOO_OLD, _changed(USER, headers={"ce_time": b"0001-01-01T00:00:00Z"})),
    "sent in the future": (Reason.FROM_THE_FUTURE, _changed(USER, time=NOON + timedelta(minutes=6))),
}
"""What becomes a dead letter, by a few words."""
