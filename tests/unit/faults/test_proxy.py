"""The proxy passes everything on, and hurts what a rule names; what it says it did is what came out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.faults.framing import Direction, Frame
from tests.faults.proxy import Proxy
from tests.faults.rules import Cut, Hold, Hole, Message, Rule


class Lines:
    """The simplest framing: a message is a line, its kind what it says."""

    def __init__(self) -> None:
        self._rest: dict[Direction, bytes] = {"request": b"", "answer": b""}

    def feed(self, direction: Direction, data: bytes) -> list[Frame]:
        *whole, self._rest[direction] = (self._rest[direction] + data).split(b"\n")
        return [(line.decode(), line + b"\n") for line in whole]


class Echo:
    """A server that answers each line with itself, and notes what it heard and how the connections ended."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.ends: asyncio.Queue[str] = asyncio.Queue()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                self.heard.append(line)
                writer.write(line)
            self.ends.put_nowait("finish")
        except ConnectionResetError:
            self.ends.put_nowait("reset")
        except asyncio.CancelledError:
            pass
        finally:
            writer.close()


class Client:
    """A connection through the proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    def send(self, *lines: str) -> None:
        self._writer.write("".join(f"{line}\n" for line in lines).encode())

    def close(self) -> None:
        self._writer.close()

    async def receive(self) -> str:
        """Give the next line, what there is of it, or how the connection ended."""
        try:
            return (await self._reader.readline()).decode() or "finish"
        except ConnectionResetError:
            return "reset"

    async def hears_nothing(self) -> bool:
        """Tell whether nothing comes for a tenth of a second: what would come, comes at once."""
        try:
            async with asyncio.timeout(0.1):
                await self._reader.read(1)
        except TimeoutError:
            return True
        return False


@asynccontextmanager
async def echoing(*rules: Rule) -> AsyncIterator[tuple[Proxy, Echo]]:
    echo = Echo()
    server = await asyncio.start_server(echo.handle, "127.0.0.1", 0)
    async with server:
        proxy = Proxy(host="127.0.0.1", port=server.sockets[0].getsockname()[1], framing=Lines)
        proxy.add(*rules)
        async with asyncio.timeout(10), proxy.listening():
            yield proxy, echo


@asynccontextmanager
async def connected(proxy: Proxy) -> AsyncIterator[Client]:
    client = Client(*await asyncio.open_connection("127.0.0.1", proxy.port))
    try:
        yield client
    finally:
        client.close()


def at(line: str, direction: Direction) -> dict[str, Any]:
    return {"when": lambda message: message.kind == line and message.direction == direction}


async def test_everything_passes_until_a_rule_says_otherwise() -> None:
    async with echoing() as (proxy, echo), connected(proxy) as client:
        client.send("one", "two")
        assert [await client.receive(), await client.receive()] == ["one\n", "two\n"]
        client.close()
        assert await echo.ends.get() == "finish"
        assert proxy.deeds == []


@pytest.mark.parametrize("how", ["reset", "finish"])
async def test_cut_before_forwarding_keeps_the_message_from_the_server(how) -> None:
    async with echoing(Rule(**at("two", "request"), action=Cut(how=how))) as (proxy, echo):
        async with connected(proxy) as client:
            client.send("one")
            assert await client.receive() == "one\n"
            client.send("two", "three")
            assert await client.receive() == how
            assert await echo.ends.get() == how
            assert echo.heard == [b"one\n"]
            [deed] = proxy.deeds
            assert str(deed).startswith(f"cut ({how}) at message {deed.number} of connection 1: request two, 0 of 4")

        async with connected(proxy) as again:
            again.send("two")
            assert await again.receive() == "two\n", "a rule is over when it has happened"


async def test_cut_behind_a_request_lets_the_server_have_it() -> None:
    async with (
        echoing(Rule(**at("two", "request"), action=Cut(passed="all", how="finish"))) as (proxy, echo),
        connected(proxy) as client,
    ):
        client.send("one")
        await client.receive()
        client.send("two", "three")
        assert await client.receive() == "finish"
        await echo.ends.get()
        assert echo.heard == [b"one\n", b"two\n"]
        assert proxy.deeds[0].passed_bytes == 4


async def test_cut_at_an_answer_proves_that_the_server_had_the_request() -> None:
    async with (
        echoing(Rule(**at("two", "answer"), action=Cut(passed="half", how="finish"))) as (proxy, echo),
        connected(proxy) as client,
    ):
        client.send("two")
        assert await client.receive() == "tw"
        assert echo.heard == [b"two\n"]
        assert (proxy.deeds[0].passed_bytes, proxy.deeds[0].size_bytes) == (2, 4)


async def test_held_message_and_all_behind_it_go_on_when_they_may() -> None:
    hold = Hold()
    async with echoing(Rule(**at("two", "request"), action=hold)) as (proxy, _), connected(proxy) as client:
        client.send("one", "two", "three")
        assert await client.receive() == "one\n"
        assert await client.hears_nothing()
        hold.go_on.set()
        assert [await client.receive(), await client.receive()] == ["two\n", "three\n"]


@pytest.mark.parametrize(
    ("swallows", "heard"), [({"request"}, [b"one\n"]), ({"answer"}, [b"one\n", b"two\n", b"three\n"])]
)
async def test_hole_swallows_what_goes_its_way_even_the_end(swallows: set[Direction], heard: list[bytes]) -> None:
    async with (
        echoing(Rule(**at("two", "request"), action=Hole(swallows=swallows))) as (proxy, echo),
        connected(proxy) as client,
    ):
        client.send("one")
        assert await client.receive() == "one\n"
        client.send("two", "three")
        assert await client.hears_nothing()
        assert echo.heard == heard
        client.close()
        if "request" in swallows:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await echo.ends.get()
            proxy.heal()
        assert await echo.ends.get()


async def test_delay_makes_everything_late_and_changes_nothing() -> None:
    async with echoing() as (proxy, _):
        proxy.delay_seconds = 0.02
        async with connected(proxy) as client:
            began = asyncio.get_running_loop().time()
            client.send("one")
            assert await client.receive() == "one\n"
            assert asyncio.get_running_loop().time() - began >= 0.04
            assert proxy.delayed == 2


async def test_rule_is_over_after_its_times_and_says_when_it_happened() -> None:
    rule = Rule(when=lambda message: message.number == 1, action=Cut(), times=2)
    async with echoing(rule) as (proxy, _):
        for expected in ("reset", "reset", "one\n"):
            async with connected(proxy) as client:
                client.send("one")
                assert await client.receive() == expected
        assert rule.happened.is_set()
        assert [deed.connection for deed in proxy.deeds] == [1, 2]


async def test_what_is_rewritten_is_what_comes_out() -> None:
    def upper(message: Message) -> bytes:
        return message.raw.upper() if message.direction == "answer" else message.raw

    async with echoing() as (plain, _):
        proxy = Proxy(host="127.0.0.1", port=plain.port, framing=Lines, rewrite=upper)
        async with proxy.listening(), connected(proxy) as client:
            client.send("one")
            assert await client.receive() == "ONE\n"
