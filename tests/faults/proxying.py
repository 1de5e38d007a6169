"""Proxies in front of the servers that a test uses, and the addresses that lead through them."""

import struct
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from sqlalchemy import make_url

from tests.faults.framing import KafkaFraming, PostgresFraming
from tests.faults.proxy import Proxy
from tests.faults.rules import Message

_TELL_ADDRESSES: Final = {"Metadata", "FindCoordinator"}


@asynccontextmanager
async def before_postgres(url: str) -> AsyncIterator[tuple[Proxy, str]]:
    """Give a proxy in front of the server of an address, and the address that leads through it, without TLS."""
    address = make_url(url)
    proxy = Proxy(host=address.host or "127.0.0.1", port=address.port or 5432, framing=PostgresFraming)
    async with proxy.listening():
        yield proxy, address.set(host="127.0.0.1", port=proxy.port).render_as_string(hide_password=False)


@asynccontextmanager
async def before_kafka(
    bootstrap_servers: str, *, spoil: Callable[[Message, bytes], bytes] = lambda _, raw: raw
) -> AsyncIterator[tuple[list[Proxy], str]]:
    """Give a proxy in front of each broker, in the order of their addresses, and the addresses that lead through them.

    Clients connect to what the brokers advertise. So those addresses, which must be the given ones, are replaced in
    the answers that tell them: the host stays, its bytes are not moved, and the port is always four bytes.

    Args:
        bootstrap_servers: all addresses.
        spoil: changes a message besides; it may not change its length.
    """
    given = [(host, int(port)) for host, _, port in (each.rpartition(":") for each in bootstrap_servers.split(","))]
    through: dict[bytes, bytes] = {}

    def rewrite(message: Message) -> bytes:
        raw = message.raw
        if message.direction == "answer" and message.kind in _TELL_ADDRESSES:
            for own, proxied in through.items():
                raw = raw.replace(own, proxied)
        return spoil(message, raw)

    async with AsyncExitStack() as resources:
        proxies = [Proxy(host=host, port=port, framing=KafkaFraming, rewrite=rewrite) for host, port in given]
        for (host, port), proxy in zip(given, proxies, strict=True):
            await resources.enter_async_context(proxy.listening())
            through[_told(host, port)] = _told(host, proxy.port)
        yield proxies, ",".join(f"{host}:{proxy.port}" for (host, _), proxy in zip(given, proxies, strict=True))


def _told(host: str, port: int) -> bytes:
    """Give an address as the old and the new form of strings in Kafka's protocol both end it."""
    return host.encode() + struct.pack(">i", port)
