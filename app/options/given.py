"""What several rules ask of settings: which are given, which are given twice, and whether their files can be read."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import BaseModel

from app.options.names import variable


def given(options: BaseModel, names: Sequence[str]) -> list[str]:
    """Give those of the settings that have a value."""
    return [name for name in names if getattr(options, name) is not None]


def unused(options: BaseModel, names: Sequence[str], why: str) -> Iterator[str]:
    """Object to settings that would change nothing: whoever gave one believes that it does."""
    for name in given(options, names):
        yield f"{variable(name)}: is not used {why}"


def twice(options: BaseModel, secret: str) -> Iterator[str]:
    """Object to a secret that is given both by value and by file."""
    if len(given(options, [secret, f"{secret}_file"])) == 2:
        yield f"{variable(secret)}: give it, or {variable(f'{secret}_file')}, not both"


def missing(options: BaseModel, name: str, why: str) -> Iterator[str]:
    """Object to a setting that has no value, neither itself nor by a file."""
    names = [name, f"{name}_file"] if f"{name}_file" in type(options).model_fields else [name]
    if not given(options, names):
        yield f"{' or '.join(map(variable, names))}: is needed {why}"


def unreadable(options: BaseModel, names: Sequence[str]) -> Iterator[str]:
    """Object to files that cannot be read, or hold no text."""
    for name in given(options, names):
        path: Path = getattr(options, name)
        try:
            path.read_text()
        except OSError as error:
            yield f"{variable(name)}: {path} cannot be read: {error.strerror}"
        except UnicodeDecodeError:
            yield f"{variable(name)}: {path} is no text"
