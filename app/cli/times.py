"""Times as operators give them."""

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from datetime import datetime


def parse_time(option: str, given: str) -> "datetime":
    """Read a time.

    Args:
        option: whose value it is, for the error.
        given: RFC 3339, with an offset.

    Raises:
        typer.BadParameter: it is none, or has no offset.
    """
    from datetime import datetime

    try:
        moment = datetime.fromisoformat(given)
    except ValueError as error:
        raise typer.BadParameter(f"{option}: {error}") from None
    if moment.tzinfo is None:
        raise typer.BadParameter(f"{option}: needs an offset, such as Z")
    return moment
