"""`/metrics`, `/healthz` and `/readyz` over HTTP, by a thread of its own: it answers while the event loop does not.

What is told is read by the event loop, so that no part is looked at in the middle of a change. Where the loop does not
answer in time, the metrics are those that were read last, and the process is not ready.
"""

import asyncio
import json
import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socket import AF_INET, AF_INET6
from socketserver import TCPServer, ThreadingMixIn
from typing import Final, NamedTuple, TypeVar

from app.monitoring import exposition
from app.monitoring.loop_watch import LoopWatch
from app.monitoring.readiness import Wellness, examine
from app.monitoring.readings import Reader, Reading

logger = logging.getLogger("squad.process")

T = TypeVar("T")

_CLIENT_SECONDS: Final = 5.0
"""How long a client may take to say what it wants, and to take the answer."""


class Answer(NamedTuple):
    """What a request is answered with."""

    status: HTTPStatus
    content_type: str
    body: bytes


class Monitoring:
    """Answers what a process is asked for.

    Args:
        loop: that of the process.
        watch: of that loop.
        readers: of all parts, but for the watch.
        ready: what is not well with a part, by its name.
        alive_seconds: how long the loop may stand still before the process counts as dead.
        answer_seconds: how long it may take to be read.
    """

    def __init__(
        self,
        *,
        loop: asyncio.AbstractEventLoop,
        watch: LoopWatch,
        readers: Sequence[Reader],
        ready: Mapping[str, Wellness],
        alive_seconds: float,
        answer_seconds: float = 1,
    ) -> None:
        self._loop = loop
        self._watch = watch
        self._readers = readers
        self._ready = ready
        self._alive_seconds = alive_seconds
        self._answer_seconds = answer_seconds
        self._last: list[Reading] = []

    def answer(self, path: str) -> Answer:
        """Answer a request from any thread but the loop's."""
        match path.partition("?")[0]:
            case "/metrics":
                return Answer(HTTPStatus.OK, exposition.CONTENT_TYPE, self._metrics())
            case "/healthz":
                return self._health()
            case "/readyz":
                return self._readiness()
            case _:
                return Answer(HTTPStatus.NOT_FOUND, "text/plain", b"/metrics, /healthz or /readyz\n")

    def _metrics(self) -> bytes:
        try:
            self._last = self._ask(lambda: [reading for read in self._readers for reading in read()])
        except TimeoutError:
            logger.debug("metrics are those that were read last: the event loop does not answer")
        return exposition.render([*self._last, *self._watch.read()])

    def _health(self) -> Answer:
        silent = self._watch.silent_seconds
        return _as_json(silent <= self._alive_seconds, "alive", {"event_loop_silent_seconds": round(silent, 3)})

    def _readiness(self) -> Answer:
        try:
            parts = self._ask(lambda: examine(self._ready))
        except TimeoutError:
            parts = {"event loop": f"it has not answered for {self._watch.silent_seconds:.1f} s"}
        return _as_json(not any(parts.values()), "ready", {"parts": {name: why or "ok" for name, why in parts.items()}})

    def _ask(self, work: Callable[[], T]) -> T:
        """Let the event loop do something, and give what came out.

        Raises:
            TimeoutError: it did not do it in time.
        """
        future: Future[T] = Future()

        def do() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(work())
            except BaseException as error:  # noqa: BLE001 - raised where it was asked for
                future.set_exception(error)

        try:
            self._loop.call_soon_threadsafe(do)
        except RuntimeError as error:
            raise TimeoutError("the event loop has ended") from error
        try:
            return future.result(self._answer_seconds)
        finally:
            future.cancel()


class _Server(ThreadingMixIn, TCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 16


class ListenError(Exception):
    """The address cannot be listened on; the message says why."""


@contextmanager
def serving(monitoring: Monitoring, *, address: str, port: int) -> Iterator[int]:
    """Serve in the block, from a thread.

    Args:
        monitoring: answers.
        address: of this machine.
        port: 0: any that is free.

    Returns:
        The port.

    Raises:
        ListenError: it cannot be listened there.
    """
    server = _listen(monitoring, address, port)
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="monitoring", daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _listen(monitoring: Monitoring, address: str, port: int) -> TCPServer:
    """Give a server that listens; who comes waits until it serves."""

    class Handler(BaseHTTPRequestHandler):
        timeout = _CLIENT_SECONDS
        server_version, sys_version = "squad", ""

        def do_GET(self) -> None:
            _respond(self, monitoring)

        do_HEAD = do_GET  # noqa: N815 - as above

        def log_message(self, *_: object) -> None: ...

    class Server(_Server):
        address_family = AF_INET6 if ":" in address else AF_INET

    try:
        return Server((address, port), Handler)
    except OSError as error:
        raise ListenError(f"cannot listen on {address} port {port}: {error.strerror or error}") from error


def _respond(request: BaseHTTPRequestHandler, monitoring: Monitoring) -> None:
    try:
        answer = monitoring.answer(request.path)
    except Exception:
        logger.exception("%s cannot be answered", request.path.partition("?")[0][:32])
        answer = Answer(HTTPStatus.INTERNAL_SERVER_ERROR, "text/plain", b"the log says why\n")
    request.send_response(answer.status)
    request.send_header("Content-Type", answer.content_type)
    request.send_header("Content-Length", str(len(answer.body)))
    request.end_headers()
    if request.command != "HEAD":
        request.wfile.write(answer.body)


def _as_json(is_well: bool, word: str, facts: Mapping[str, object]) -> Answer:  # noqa: FBT001 - private, one use each
    status = HTTPStatus.OK if is_well else HTTPStatus.SERVICE_UNAVAILABLE
    return Answer(status, "application/json", json.dumps({word: is_well, **facts}).encode() + b"\n")
