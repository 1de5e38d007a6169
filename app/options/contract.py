"""Who may send which commands, and where outcomes may go besides."""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import BaseModel, Field, field_validator
from pydantic_settings import NoDecode

ANY: Final = ("*",)

_PATTERN: Final = re.compile(r"[a-z0-9.*-]{1,255}")
_TOPIC: Final = re.compile(r"[a-zA-Z0-9._-]{1,249}")


class ContractOptions(BaseModel):
    """Who may send which commands, and where outcomes may go besides."""

    command_sources: Annotated[
        tuple[str, ...] | Mapping[str, tuple[str, ...]],
        NoDecode,
        Field(
            description="The `source` values that may send commands, separated by commas; or, as a JSON object, each"
            ' with patterns of the types that it may send, such as `{"/shop": ["squad.*"]}`; empty: any, anything.'
        ),
    ] = ()
    reply_topics: Annotated[
        tuple[str, ...],
        NoDecode,
        Field(
            description="Full names of the topics that a command may name in `ce_replyto`, separated by commas; empty:"
            " none."
        ),
    ] = ()

    @field_validator("command_sources", mode="before")
    @classmethod
    def _read_sources(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return _read_bindings(value) if value.lstrip().startswith("{") else split(value)

    @field_validator("reply_topics", mode="before")
    @classmethod
    def _read_topics(cls, value: object) -> object:
        topics = split(value) if isinstance(value, str) else value
        if isinstance(topics, tuple) and not all(_TOPIC.fullmatch(topic) for topic in topics):
            raise ValueError("names of topics have a-z, A-Z, 0-9, dots, hyphens and underscores, at most 249 of them")
        return topics


def split(value: str) -> tuple[str, ...]:
    """Give the parts of a list that is written with commas, without the white space around them."""
    return tuple(filter(None, (part.strip() for part in value.split(","))))


def _read_bindings(text: str) -> dict[str, tuple[str, ...]]:
    """Read which source may send which types.

    Raises:
        ValueError: saying what is wrong, without the value.
    """
    try:
        found = json.loads(text, object_pairs_hook=_without_repetition)
    except json.JSONDecodeError as error:
        raise ValueError(f"is no JSON object: {error.msg} at character {error.pos}") from None
    for patterns in found.values():
        if not isinstance(patterns, list) or not patterns:
            raise ValueError("each source needs a list of at least one pattern of types")
        if not all(isinstance(pattern, str) and _PATTERN.fullmatch(pattern) for pattern in patterns):
            raise ValueError("patterns of types have a-z, 0-9, dots, hyphens and *, which stands for any text")
    if not all(found):
        raise ValueError("a source is never empty")
    return {source: tuple(patterns) for source, patterns in found.items()}


def _without_repetition(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a source comes twice")
    return found
