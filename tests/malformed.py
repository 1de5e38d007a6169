"""Records that are wrong in ways nobody thought of: good ones changed at random, always alike for a seed."""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from domain import commands
from domain.commands import Command
from messages.codec import encode_command
from tests import making
from tests.making import SOURCE

Headers = list[tuple[str, bytes | None]]


class Raw(NamedTuple):
    """What a producer sends."""

    key: bytes | None
    value: bytes | None
    headers: Headers


NUMBERS: Final = (
    *("0", "-0", "-0.0", "1", "-1", "1.0", "1e3", "1e400", "-1e400", "1E-400", "NaN", "Infinity", "-Infinity", "01"),
    *("2147483648", "-2147483649", "9007199254740992", "9223372036854775808", "1" * 400, "1" * 5_000, "0." + "9" * 400),
)
TEXTS: Final = (
    *('""', '"\\u0000"', '"\\ud800"', '"\\udfff\\ud800"', '"\\uFFFE"', '"\u00e9"', '"\\u202e"', '" "', '"\\n"'),
    *('"' + "x" * 321 + '"', '"' + "\U0001f600" * 200 + '"', '"' + "x" * 5_000 + '"', '"a@b"', '"@"', '"null"'),
    *('"\u0130\u1e9e\ufb03@x"', '"00000000-0000-0000-0000-00000000000G"', '"2026-13"', '"9999-12"', '"0001-01"'),
)
OTHERS: Final = ("null", "true", "false", "[]", "{}", "[[]]", '{"a":1}', "[null]", '[""]', "tru", "'x'", "", "{", "]")
TIMES: Final = (
    *("2026-05-04T12:00:00", "2026-05-04", "12:00:00Z", "0001-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "now"),
    *("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59-23:59", "10000-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59"),
    *("2026-06-30T23:59:60Z", "2026-05-04T24:00:00Z", "2026-02-29T12:00:00Z", "2026-05-04T12:00:00+24:00", "-1", ""),
    *("2126-05-04T12:00:00Z", "1970-01-01T00:00:00Z", "2026-05-04T12:00:00.0000000001Z", "2026-05-04T12:00:00,5Z"),
    *("\u0662\u0660\u0662\u0666-05-04T12:00:00Z", "2026-05-04T12:00:00 Z", "1e400", "2026-05-04T12:00:00Z\0"),
)
ATTRIBUTES: Final = (
    *("id", "source", "type", "time", "specversion", "subject", "dataschema", "correlationid", "causationid"),
    *("expirytime", "expectedversion", "replyto", "recordedtime", "partitionkey", "traceparent", "tracestate"),
)
VALUES: Final = (
    *(b"", b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"a\nb", "\ufffe".encode(), "\U0010ffff".encode(), b"x" * 256),
    *(b"x" * 9_000, "\U0001f600".encode() * 255, b"-1", b"1e400", b"NaN", b"0" * 18, b"9" * 18, b"9" * 19),
    *(b"null", b"squad.commands", b"user.register.v9", b"0.3", b"1.0", b" " * 255, b"{}", b"%", b"'; DROP TABLE inbox"),
    *((b" " * 15 + b",") * 31 + b"!", b"00-" + b"1" * 32 + b"-" + b"1" * 16 + b"-01"),
)
CONTENT_TYPES: Final = (
    *(b"text/plain", b"application/json; charset=utf-16", b"application/avro", b"application/cloudevents+avro"),
    *(b"application/cloudevents-batch+json", b"APPLICATION/CLOUDEVENTS+JSON", b"application/cloudevents", b"\xff"),
    *(b"application/cloudevents+json; charset=latin1", b"application/cloudevents+json", b";" * 9_000, b"", b"+json"),
)


class Malforming:
    """Changes good records.

    Args:
        seed: the same one gives the same records.
        time: when they are sent.
    """

    def __init__(self, *, seed: int, time: datetime) -> None:
        self._chance = random.Random(seed)
        self._time = time
        self._before: Raw | None = None

    def records(self) -> Iterator[Raw]:
        """Give records without end; each a good one that was changed in one to three ways, seldom none that counts."""
        for number in range(1 << 62):
            raw = self._good(number)
            if self._chance.random() < 0.3:
                raw = _as_structured(raw)
            changes = self._chance.choice((1, 1, 1, 2, 3))
            for change in self._chance.choices(self._changes, k=changes):
                raw = change(self, raw)
            self._before = raw
            yield raw

    def _id(self) -> str:
        return str(UUID(int=self._chance.getrandbits(128), version=4))

    def _good(self, number: int) -> Raw:
        chance, user, squad = self._chance, self._id(), self._id()
        made: Sequence[Callable[[], Command]] = (
            lambda: making.register_user(user),
            lambda: making.create_squad(user, squad, roles=("developer", "tester")),
            lambda: commands.RecordUsage(squad_id=squad, metric="tokens", month="2026-05", amount=7),
            lambda: commands.SetUsageLimit(squad_id=squad, metric="tokens", month="2026-05", limit=12),
            lambda: commands.SubmitFeedback(squad_id=squad, feedback_id=self._id(), rating=3, comment="So: so"),
            lambda: making.create_task(squad, self._id(), self._id()),
            lambda: commands.CreateTasks(
                squad_id=squad,
                project_id=self._id(),
                tasks=tuple(commands.NewTask(task_id=self._id(), title=f"Task {each}") for each in range(3)),
            ),
        )
        extensions = {"correlationid": "c", "expectedversion": "0"} if chance.random() < 0.3 else {}
        key, value, headers = encode_command(
            chance.choice(made)(), command_id=f"bad-{number}", source=SOURCE, time=self._time, extensions=extensions
        )
        return Raw(key, value, [*headers])

    # Changes of bytes

    def _flip(self, raw: Raw) -> Raw:
        """Flip a bit of the key, of the value or of a header."""
        place = self._chance.randrange(3)
        if place == 0:
            return raw._replace(key=self._flipped(raw.key))
        if place == 1:
            return raw._replace(value=self._flipped(raw.value))
        return self._with_header(raw, lambda name, content: (name, self._flipped(content)))

    def _flipped(self, content: bytes | None) -> bytes | None:
        if not content:
            return b"\xff"
        changed = bytearray(content)
        changed[self._chance.randrange(len(changed))] ^= 1 << self._chance.randrange(8)
        return bytes(changed)

    def _truncate(self, raw: Raw) -> Raw:
        value = raw.value or b""
        return raw._replace(value=value[: self._chance.randrange(len(value) + 1)])

    def _scramble(self, raw: Raw) -> Raw:
        return raw._replace(value=self._chance.randbytes(self._chance.choice((1, 30, 300))))

    def _splice(self, raw: Raw) -> Raw:
        """Take a part from the record before."""
        before = self._before or raw
        taken = self._chance.choice(("key", "value", "headers"))
        return raw._replace(**{taken: getattr(before, taken)})

    def _strange_key(self, raw: Raw) -> Raw:
        keys = (None, b"", b"\0", b"\xff" * 16, b"k" * 3_000, b"k" * 70_000, (raw.key or b"").upper())
        return raw._replace(key=self._chance.choice(keys))

    def _no_value(self, raw: Raw) -> Raw:
        return raw._replace(value=self._chance.choice((None, b"", b" ", b"null", b"\xef\xbb\xbf{}")))

    # Changes of JSON

    def _wrong_member(self, raw: Raw) -> Raw:
        """Put something else where a value was: numbers, texts, other types, and what is no JSON."""
        something = self._chance.choice(self._chance.choice((NUMBERS, TEXTS, OTHERS)))
        return self._with_member(raw, lambda _: something)

    def _swap(self, raw: Raw) -> Raw:
        """Give two members each other's values."""
        members = _members(raw)
        if members is None or len(members) < 2:
            return raw
        one, other = self._chance.sample(range(len(members)), 2)
        (name, value), (other_name, other_value) = members[one], members[other]
        members[one], members[other] = (name, other_value), (other_name, value)
        return raw._replace(value=_joined(members))

    def _repeat_member(self, raw: Raw) -> Raw:
        members = _members(raw)
        if not members:
            return raw
        name, value = self._chance.choice(members)
        repeated = (name, self._chance.choice((value, "1", "1" * 5_000)))
        members.insert(self._chance.randrange(len(members) + 1), repeated)
        return raw._replace(value=_joined(members))

    def _rename(self, raw: Raw) -> Raw:
        """Leave a member out, give it another name, or add many."""
        members = _members(raw)
        if not members:
            return raw
        place = self._chance.randrange(len(members))
        name, value = members[place]
        names = ("", name.upper(), name + " ", "\\u0000", "__proto__", "x" * 3_000, "\\ud800")
        changed = [(each, value) for each in self._chance.choice(([], names[:1], names[1:3], names))]
        return raw._replace(value=_joined([*members[:place], *changed, *members[place + 1 :]]))

    def _nest(self, raw: Raw) -> Raw:
        depth = self._chance.choice((2, 31, 33, 100, 3_000))
        begin, end = self._chance.choice((("[", "]"), ('{"a":', "}"), ("[", ""), ('[{"squad_id":[', "]}]")))
        return self._with_member(raw, lambda value: begin * depth + value + end * depth)

    def _many(self, raw: Raw) -> Raw:
        one = self._chance.choice(("1", '"x"', "[]", '{"a":1}', "null"))
        number = self._chance.choice((99, 101, 101, 101, 1_001))
        return self._with_member(raw, lambda _: "[" + ",".join([one] * number) + "]")

    def _endless_text(self, raw: Raw) -> Raw:
        """A text without an end, full of quotes, behind brackets enough to make a reader look closer."""
        return self._with_member(raw, lambda _: "[]" * 40 + '"' + '\\"' * 2_000)

    def _with_member(self, raw: Raw, change: Callable[[str], str]) -> Raw:
        members = _members(raw)
        if not members:
            return raw
        place = self._chance.randrange(len(members))
        name, value = members[place]
        members[place] = (name, change(value))
        return raw._replace(value=_joined(members))

    # Changes of the envelope

    def _strange_attribute(self, raw: Raw) -> Raw:
        name = self._chance.choice(ATTRIBUTES)
        return self._with_attribute(raw, name, self._chance.choice(VALUES))

    def _strange_time(self, raw: Raw) -> Raw:
        name = self._chance.choice(("time", "time", "expirytime", "recordedtime"))
        return self._with_attribute(raw, name, self._chance.choice(TIMES).encode())

    def _strange_trace(self, raw: Raw) -> Raw:
        traced = self._with_attribute(raw, "traceparent", VALUES[-1])
        return self._with_attribute(traced, "tracestate", self._chance.choice(VALUES))

    def _strange_content_type(self, raw: Raw) -> Raw:
        headers = [each for each in raw.headers if each[0] != "content-type"]
        return raw._replace(headers=[*headers, ("content-type", self._chance.choice(CONTENT_TYPES))])

    def _header_games(self, raw: Raw) -> Raw:
        """Leave headers out, repeat them, empty them, rename them, add many or large ones."""
        match self._chance.randrange(6):
            case 0:
                place = self._chance.randrange(len(raw.headers) or 1)
                return raw._replace(headers=[*raw.headers[:place], *raw.headers[place + 1 :]])
            case 1:
                return raw._replace(headers=[*raw.headers, *self._chance.sample(raw.headers, min(1, len(raw.headers)))])
            case 2:
                return self._with_header(raw, lambda name, _: (name, None))
            case 3:
                names = ("CE_ID", "ce-id", "ce_", "", "\0", "ce_\u00e9", "ce_" + "x" * 300, "Content-Type")
                return self._with_header(raw, lambda _, content: (self._chance.choice(names), content))
            case 4:
                return raw._replace(headers=[*raw.headers, *((f"h{each}", b"") for each in range(70))])
            case _:
                return raw._replace(headers=[*raw.headers, ("large", b"x" * 17_000)])

    def _with_attribute(self, raw: Raw, name: str, content: bytes) -> Raw:
        """Set an attribute, in either content mode."""
        members = _members(raw) if _is_structured(raw) else None
        if members is not None:
            text = json.dumps(content.decode(errors="surrogateescape"))
            return raw._replace(value=_joined([*(each for each in members if each[0] != name), (name, text)]))
        headers = [each for each in raw.headers if each[0] != f"ce_{name}"]
        return raw._replace(headers=[*headers, (f"ce_{name}", content)])

    def _with_header(self, raw: Raw, change: Callable[[str, bytes | None], tuple[str, bytes | None]]) -> Raw:
        if not raw.headers:
            return raw
        headers = [*raw.headers]
        place = self._chance.randrange(len(headers))
        headers[place] = change(*headers[place])
        return raw._replace(headers=headers)

    _changes = (
        *(_flip, _flip, _truncate, _scramble, _splice, _strange_key, _no_value),
        *(_wrong_member, _wrong_member, _wrong_member, _swap, _repeat_member, _rename, _nest, _many, _endless_text),
        *(_strange_attribute, _strange_attribute, _strange_time, _strange_trace, _strange_content_type, _header_games),
    )


def _is_structured(raw: Raw) -> bool:
    return any(name == "content-type" and b"cloudevents" in (content or b"") for name, content in raw.headers)


def _as_structured(raw: Raw) -> Raw:
    event: dict[str, Any] = {name[3:]: (content or b"").decode() for name, content in raw.headers if name[:3] == "ce_"}
    event["data"] = json.loads(raw.value or b"")
    return Raw(raw.key, json.dumps(event).encode(), [("content-type", b"application/cloudevents+json")])


def _members(raw: Raw) -> list[tuple[str, str]] | None:
    """Give the members of the value, each as its text; nothing where the value is no object any more."""
    try:
        found = json.loads(raw.value or b"")
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    return [(name, json.dumps(value)) for name, value in found.items()]


def _joined(members: Sequence[tuple[str, str]]) -> bytes:
    text = ",".join(f'"{name}":{value}' for name, value in members)
    return f"{{{text}}}".encode(errors="surrogatepass")
