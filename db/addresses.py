"""URLs of PostgreSQL that have several addresses, of which one at a time takes writes."""

from typing import Final

from sqlalchemy import URL

ATTRIBUTE: Final = "target_session_attrs"
"""Which server is wanted; libpq's name (PostgreSQL documentation, 32.1.2)."""

WRITABLE: Final = ("read-write", "primary")
"""What it may be where something is to be written; the first one unless the URL says another."""

READABLE: Final = ("prefer-standby", "standby", "read-only", "any", *WRITABLE)
"""What it may be where nothing is; the first one likewise."""


def list_hosts(url: URL) -> list[tuple[str, int]]:
    """Give the addresses of a URL of several, `?host=…:…&host=…:…`; nothing of others.

    Raises:
        ValueError: one has no port, or there is another address in front.
    """
    given = url.query.get("host", "")
    if isinstance(given, str):
        return []
    if url.host or url.port or "port" in url.query:
        raise ValueError("has an address beside those of host=")
    found = []
    for each in given:
        host, _, port = each.rpartition(":")
        if not host or not port.isdecimal():
            raise ValueError(f"host={each} has no port")
        found.append((host, int(port)))
    return found


def single(url: URL, host: tuple[str, int]) -> URL:
    """Give the URL of one of the addresses, whichever server is there."""
    return url.difference_update_query(["host", ATTRIBUTE]).set(host=host[0], port=host[1])


def with_default(url: URL, *, writes: bool = True) -> URL:
    """Let a URL of several addresses that does not say which server is wanted say so.

    Args:
        url: of one address or several.
        writes: whether something is to be written.
    """
    if not list_hosts(url) or ATTRIBUTE in url.query:
        return url
    return url.update_query_dict({ATTRIBUTE: (WRITABLE if writes else READABLE)[0]})
