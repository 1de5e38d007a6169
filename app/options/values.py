"""Kinds of values that several settings have."""

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, SecretStr


def _empty_is_absent(value: object) -> object:
    return None if value == "" else value


Absent = BeforeValidator(_empty_is_absent)
"""An empty variable is as good as none: compose files cannot leave one out."""

Text = Annotated[str | None, Absent]
Secret = Annotated[SecretStr | None, Absent]
File = Annotated[Path | None, Absent]


def read_secret(given: SecretStr | None, file: Path | None) -> str | None:
    """Give a secret, from wherever it was given; a file's last line end is not part of it.

    Raises:
        OSError: the file cannot be read.
        UnicodeDecodeError: it is no text.
    """
    if given is not None:
        return given.get_secret_value()
    return None if file is None else file.read_text().removesuffix("\n").removesuffix("\r")
