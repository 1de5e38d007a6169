"""Starting the servers of a local stack at once, so that nothing is left running when that is cut off."""

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from types import FrameType
from typing import Protocol


class Server(Protocol):
    """What can be started: PostgreSQL, Kafka."""

    def start(self, *, is_cancelled: Callable[[], bool]) -> None:
        """Returns when it is ready, or raises; soon, once the start is given up."""


def start_servers(servers: Mapping[str, Server], *, progress: Callable[[str], None]) -> None:
    """Starts servers in parallel and returns when all are ready.

    When one fails, or KeyboardInterrupt or SIGTERM arrives, the others are given up. Every process that was started is
    on record by the time this raises; ending them is the caller's part.

    Args:
        servers: the servers by the name to show.
        progress: told each step, in words, from this thread.

    Raises:
        StackError: one of them does not come up.
    """
    cancelled = threading.Event()
    # Leaving the pool waits for its threads: none can start a process after this has raised.
    with sigterm_as_exit(), ThreadPoolExecutor(max_workers=max(1, len(servers))) as pool:
        try:
            starts = {
                pool.submit(server.start, is_cancelled=cancelled.is_set): name for name, server in servers.items()
            }
            progress(f"starting {' and '.join(servers)}")
            for start in as_completed(starts):
                start.result()
                progress(f"{starts[start]} is ready")
        except BaseException:
            # The signal may come in any line above; a start not told of it would keep the pool waiting for its whole
            # timeout.
            cancelled.set()
            raise


@contextmanager
def sigterm_as_exit() -> Iterator[None]:
    """Lets SIGTERM raise SystemExit, so that clean-up runs, unless the program handles it in its own way.

    Only the main thread may set signal handlers; started from another one, SIGTERM ends us as SIGKILL does, and the
    next start tidies up.
    """
    in_main_thread = threading.current_thread() is threading.main_thread()
    if not in_main_thread or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return

    def leave(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
