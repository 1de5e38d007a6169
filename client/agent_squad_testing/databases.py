"""Fresh databases for ordinary functions: whatever event loops tests have, these are made in a loop of their own."""

import asyncio
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, contextmanager
from types import TracebackType
from typing import Any, Self, TypeVar

from agent_squad_testing.template import Template, open_template
from app.settings import Settings

ResultT = TypeVar("ResultT")


class Databases:
    """Makes databases with the service's schema on one PostgreSQL, as a context manager; all are dropped at its end.

    Args:
        settings: their address is a database of that server; its user may create databases.

    Raises:
        NoPostgresError: (on entering) the server cannot be reached, or lets us make no database.
    """

    def __init__(self, *, settings: Settings) -> None:
        self._settings = settings
        self._resources = AsyncExitStack()
        self._runner = asyncio.Runner()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="databases")
        self._template: Template | None = None

    @contextmanager
    def lend(self) -> Iterator[Settings]:
        """Give the settings of a fresh database, dropped at the end, whoever is still connected to it."""
        if self._template is None:
            raise RuntimeError("databases are lent inside of `with Databases(…)` only")
        settings = self._do(self._template.copy())
        try:
            yield settings
        finally:
            self._do(self._template.drop(settings))

    def __enter__(self) -> Self:
        try:
            self._template = self._do(self._resources.enter_async_context(open_template(self._settings)))
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._template = None
        try:
            self._do(self._resources.aclose())
        finally:
            self._end()

    def _do(self, work: Coroutine[Any, Any, ResultT]) -> ResultT:
        return self._thread.submit(self._runner.run, work).result()

    def _end(self) -> None:
        self._thread.submit(self._runner.close).result()
        self._thread.shutdown()
