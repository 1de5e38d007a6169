"""A TCP proxy of our own in front of PostgreSQL or Kafka: it passes messages on, and hurts those that rules name."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from tests.faults.framing import Direction, Frame, Framing
from tests.faults.rules import Action, Cut, Deed, Hold, Hole, How, Message, Passed, Rules, in_words, part

_CHUNK_BYTES: Final = 65_536
_LINGER_NOT: Final = struct.pack("ii", 1, 0)
"""SO_LINGER on, for no time: closing then sends RST (socket(7))."""


@dataclass(eq=False, slots=True, kw_only=True)
class _Link:
    """One connection of a client, and the proxy's own to the server."""

    number: int
    framing: Framing
    to: dict[Direction, asyncio.StreamWriter]
    swallows: set[Direction] = field(default_factory=set)
    messages: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def end(self, how: How) -> None:
        for writer in self.to.values():
            _end(writer, how)
        self.ended.set()


class Proxy:
    """Listens in front of one server.

    Args:
        host, port: the server's.
        framing: makes what finds the messages of a connection.
        rewrite: changes a message before it is passed on, such as the addresses that brokers tell.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        framing: Callable[[], Framing],
        rewrite: Callable[[Message], bytes] = lambda message: message.raw,
    ) -> None:
        self.port = 0
        """Where clients are to connect, on the loopback, while it listens."""
        self.delay_seconds = 0.0
        """By how much everything is late that passes, either way."""
        self.rules: list[Rules] = []
        self.deeds: list[Deed] = []
        """What was done to messages, in order."""
        self.on_deed: Callable[[Deed], None] = lambda _: None
        """Called with each."""
        self.connections = 0
        """How many there were."""
        self.delayed = 0
        """How many pieces were passed on late."""
        self._server = (host, port)
        self._framing = framing
        self._rewrite = rewrite
        self._links: set[_Link] = set()
        self._handlers: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Listen on a free port, in the block; at its end every connection is cut."""
        listener = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = listener.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            listener.close()
            for task in list(self._handlers):
                task.cancel()
            await asyncio.gather(*self._handlers, return_exceptions=True)

    def add(self, *rules: Rules) -> None:
        """Have rules from now on; the earlier one of two wins."""
        self.rules.extend(rules)

    def heal(self) -> None:
        """Forget all rules and delays; what a hole swallowed is lost, so its connections are ended."""
        self.rules.clear()
        self.delay_seconds = 0
        for link in list(self._links):
            if link.swallows:
                link.end("reset")

    def cut_all(self, how: How = "reset") -> int:
        """End every connection now, and give how many there were."""
        links = list(self._links)
        for link in links:
            link.end(how)
        return len(links)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        handler = asyncio.create_task(self._handle(self.connections, reader, writer))
        self._handlers.add(handler)
        handler.add_done_callback(self._handlers.discard)

    async def _handle(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError):
                server_reader, server_writer = await asyncio.open_connection(*self._server)
                link = _Link(number=number, framing=self._framing(), to={"request": server_writer, "answer": writer})
                await self._serve(link, {"request": reader, "answer": server_reader})
        finally:
            _end(writer, "reset")

    async def _serve(self, link: _Link, readers: dict[Direction, asyncio.StreamReader]) -> None:
        self._links.add(link)
        pumps = [asyncio.create_task(self._pump(link, direction, reader)) for direction, reader in readers.items()]
        try:
            await link.ended.wait()
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            self._links.discard(link)
            link.end("reset")

    async def _pump(self, link: _Link, direction: Direction, reader: asyncio.StreamReader) -> None:
        """Pass on what comes from one side, and then its end; but no end comes out of a hole."""
        with suppress(OSError):
            while data := await reader.read(_CHUNK_BYTES):
                if self.delay_seconds:
                    self.delayed += 1
                    await asyncio.sleep(self.delay_seconds)
                await self._pass(link, direction, link.framing.feed(direction, data))
        if direction not in link.swallows:
            link.end("finish")

    async def _pass(self, link: _Link, direction: Direction, frames: Iterable[Frame]) -> None:
        writer = link.to[direction]
        for kind, raw in frames:
            link.messages += 1
            message = Message(connection=link.number, direction=direction, number=link.messages, kind=kind, raw=raw)
            swallowed = direction in link.swallows
            rule = None if swallowed else next((each for each in self.rules if each.takes(message)), None)
            if rule is None:
                self._write(link, message, "all")
                continue
            why = rule.why
            match rule.action:
                case Hold() as action:
                    self._note(message, action, 0, why)
                    await action.go_on.wait()
                    self._write(link, message, "all")
                case Cut() as action:
                    self._note(message, action, self._write(link, message, action.passed), why)
                    await _drain(writer)
                    link.end(action.how)
                    return
                case Hole() as action:
                    passed = action.passed if direction in action.swallows else "all"
                    self._note(message, action, self._write(link, message, passed), why)
                    link.swallows.update(action.swallows)
        await _drain(writer)

    def _write(self, link: _Link, message: Message, passed: Passed) -> int:
        """Write a message or a part of it to the other side; give how many bytes."""
        if message.direction in link.swallows or link.to[message.direction].is_closing():
            return 0
        data = self._rewrite(message) if passed == "all" else part(message, passed)
        link.to[message.direction].write(data)
        return len(data)

    def _note(self, message: Message, action: Action, passed_bytes: int, why: str) -> None:
        deed = Deed(
            action=in_words(action),
            why=why,
            connection=message.connection,
            direction=message.direction,
            number=message.number,
            kind=message.kind,
            size_bytes=len(message.raw),
            passed_bytes=passed_bytes,
        )
        self.deeds.append(deed)
        self.on_deed(deed)


def _end(writer: asyncio.StreamWriter, how: How) -> None:
    if writer.is_closing():
        return
    if how == "finish":
        writer.close()
        return
    with suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
    writer.transport.abort()


async def _drain(writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        await writer.drain()
