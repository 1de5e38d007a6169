"""TLS in front of a PostgreSQL that has none: it answers the client's request for TLS and passes everything on.

The tests' server comes from a wheel that was built without TLS; of the client's side everything is real.
"""

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

SSL_REQUEST = struct.pack(">ii", 8, 80877103)
"""What a client sends first that wants TLS (PostgreSQL documentation, 54.2.10)."""


@asynccontextmanager
async def terminating(host: str, port: int, context: ssl.SSLContext) -> AsyncIterator[int]:
    """Listen on a free port of the loopback, by TLS only; give the port."""
    handlers: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        handlers.add(task)
        try:
            with suppress(OSError, ssl.SSLError, asyncio.IncompleteReadError):
                if await reader.readexactly(len(SSL_REQUEST)) != SSL_REQUEST:
                    return
                writer.write(b"S")
                await writer.start_tls(context)
                server_reader, server_writer = await asyncio.open_connection(host, port)
                try:
                    await _pass_both_ways(reader, writer, server_reader, server_writer)
                finally:
                    server_writer.close()
        finally:
            handlers.discard(task)
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(handlers):
            task.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)


async def _pass_both_ways(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    server_reader: asyncio.StreamReader,
    server_writer: asyncio.StreamWriter,
) -> None:
    there = asyncio.create_task(_pass(reader, server_writer))
    back = asyncio.create_task(_pass(server_reader, writer))
    _, unfinished = await asyncio.wait([there, back], return_when=asyncio.FIRST_COMPLETED)
    for task in unfinished:
        task.cancel()
    await asyncio.gather(there, back, return_exceptions=True)


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
