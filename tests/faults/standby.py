"""A standby that follows a server of the tests', and an address that stays when it takes over."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from sqlalchemy import make_url, text

from db.database import Database
from outbox.connection import own_connection
from stack import processes
from stack.local_stack import LocalStack
from stack.places import cache_directory, unprivileged_account
from stack.postgres_programs import find_programs


def follow(primary: LocalStack, standby: LocalStack) -> None:
    """Make the PostgreSQL of one stack, whatever it had, the hot standby of another's."""
    standby.postgres.stop("immediate")
    data, account = standby.directory / "postgres", unprivileged_account()
    for each in data.iterdir():
        shutil.rmtree(each) if each.is_dir() else each.unlink()
    url = make_url(primary.database_url)
    subprocess.run(
        [
            str(find_programs(cache_directory(os.environ), os.environ) / "pg_basebackup"),
            *("-h", str(url.host), "-p", str(url.port), "-U", str(url.username), "-D", str(data)),
            *("--write-recovery-conf", "--checkpoint=fast", "--no-sync"),
        ],
        check=True,
        cwd=data,
        timeout=60,
        **processes.account_arguments(account),
    )
    standby.postgres.start()


async def administer(url: str, *statements: str) -> object:
    """Run statements in autocommit, and give what the last one says."""
    database, said = Database(url=url), None
    async with own_connection(database) as connection:
        for statement in statements:
            result = await connection.execute(text(statement))
            said = result.scalar() if result.returns_rows else None
    await database.close()
    return said


class Address:
    """A TCP address that leads to one server, later to another."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url)
        self._target = self._url
        self._handlers: set[asyncio.Task[None]] = set()
        self.url = ""

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Listen, in the block, at `url`."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        self.url = self._url.set(port=port).render_as_string(hide_password=False)
        try:
            yield
        finally:
            server.close()
            await self._end_all()

    async def lead_to(self, url: str) -> None:
        """End all connections; new ones go elsewhere."""
        self._target = make_url(url)
        await self._end_all()

    async def _end_all(self) -> None:
        for handler in list(self._handlers):
            handler.cancel()
        await asyncio.gather(*self._handlers, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handler = asyncio.create_task(self._handle(reader, writer))
        self._handlers.add(handler)
        handler.add_done_callback(self._handlers.discard)

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, ExceptionGroup):
            try:
                answers, requests = await asyncio.open_connection(self._target.host, self._target.port)
                try:
                    await asyncio.wait(
                        there_and_back := [
                            asyncio.create_task(_pass(reader, requests)),
                            asyncio.create_task(_pass(answers, writer)),
                        ],
                        return_when=asyncio.FIRST_COMPLETED,
                    )
                finally:
                    for each in there_and_back:
                        each.cancel()
                    await asyncio.gather(*there_and_back, return_exceptions=True)
                    requests.close()
            finally:
                writer.close()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while said := await reader.read(65536):
        writer.write(said)
        await writer.drain()
