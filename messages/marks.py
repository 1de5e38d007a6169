"""What the classes of messages say of their fields beyond types: the marks in their annotations."""

from collections.abc import Iterator
from dataclasses import is_dataclass
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from domain.values import Personal, Secret, Shape


def hints_of(form: type[Any]) -> dict[str, Any]:
    """Give the annotation of each field of a class, with its marks."""
    return get_type_hints(form, include_extras=True)


def marks_of(hint: Any) -> Iterator[object]:  # noqa: ANN401 - an annotation
    """Give the marks of an annotation, also those inside it, such as of an array's items."""
    if get_origin(hint) is Annotated:
        yield from hint.__metadata__
    for argument in get_args(hint):
        yield from marks_of(argument) if not isinstance(argument, Shape | Personal | Secret) else ()


def is_personal(hint: Any) -> bool:  # noqa: ANN401 - an annotation
    """Tell whether a field is marked to hold personal data."""
    return any(isinstance(mark, Personal) for mark in marks_of(hint))


def is_secret(hint: Any) -> bool:  # noqa: ANN401 - an annotation
    """Tell whether a field is marked to hold a secret."""
    return any(isinstance(mark, Secret) for mark in marks_of(hint))


def form_in(hint: Any) -> type[Any] | None:  # noqa: ANN401 - an annotation
    """Give the class of a message's part that an annotation names, also as an item or as optional."""
    if isinstance(hint, type) and is_dataclass(hint):
        return hint
    found = (form_in(argument) for argument in get_args(hint))
    return next((form for form in found if form is not None), None)
