"""What of a message may be shown: personal data prints as `***`, and of what nobody knows, nothing is shown.

A field is personal where its class marks it so (`domain.values.PERSONAL`). A field that the class does not have is
masked too: a later release may have added it. A secret (`domain.values.SECRET`) is masked whoever asks, and a message
that may hold one is never shown whole.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from messages.marks import form_in, hints_of, is_personal, is_secret
from messages.registry import COMMANDS, EVENTS, OUTCOME

MASK: Final = "***"

_FORMS: Final[Mapping[str, type[Any]]] = {
    message.name: message.form for message in (*COMMANDS.values(), *EVENTS.values(), OUTCOME)
}


_SECRET_STEMS: Final = tuple(
    name.rpartition(".v")[0].encode()
    for name, form in _FORMS.items()
    if any(is_secret(hint) for hint in hints_of(form).values())
)
"""Types with a secret field, without their versions."""


class HiddenError(Exception):
    """Nothing of some data may be shown: its type is unknown, or it is no object of it.

    Args:
        size_bytes: what may be said of it.
    """

    def __init__(self, size_bytes: int) -> None:
        super().__init__(size_bytes)
        self.size_bytes = size_bytes


def read_masked(type_name: str | None, value: bytes | None) -> Any:  # noqa: ANN401 - whatever JSON has
    """Give a message's data as it may be shown.

    Args:
        type_name: its CloudEvents type, if it has one.
        value: its data, encoded.

    Raises:
        HiddenError: nothing may be shown.
    """
    form = _FORMS.get(type_name or "")
    try:
        data = json.loads(value or b"")
    except (ValueError, RecursionError):
        data = None
    if form is None or not isinstance(data, dict):
        raise HiddenError(len(value or b""))
    return _mask(form, data)


def may_hold_secret(headers: Sequence[tuple[str, bytes | None]], value: bytes | None) -> bool:
    """Tell whether a record names a type of message that has a secret, in whatever content mode or version.

    Args:
        headers, value: the record's own.
    """
    places = [content for _, content in headers if content is not None]
    return any(stem in place for stem in _SECRET_STEMS for place in (*places, value or b""))


def _shown(form: type[Any]) -> dict[str, type[Any] | None]:
    """Give the fields of a class that may be shown; of one that holds further classes, which."""
    return {name: form_in(hint) for name, hint in hints_of(form).items() if not (is_personal(hint) or is_secret(hint))}


_SHOWN: Final = {form: _shown(form) for form in _FORMS.values()}


def _mask(form: type[Any], data: Any) -> Any:  # noqa: ANN401 - whatever JSON has
    match data:
        case dict():
            shown = _SHOWN.get(form) or _shown(form)
            return {name: _mask_field(shown, name, value) for name, value in data.items()}
        case list():
            return [_mask(form, item) for item in data]
        case None:
            return None
        case _:
            return MASK


def _mask_field(shown: Mapping[str, type[Any] | None], name: str, value: Any) -> Any:  # noqa: ANN401 - whatever JSON has
    if name not in shown:
        return None if value is None else MASK
    form = shown[name]
    return value if form is None else _mask(form, value)
