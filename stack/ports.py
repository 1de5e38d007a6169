"""Free ports on the loopback, and waiting until a server answers on one."""

import random
import socket
import time
from collections.abc import Callable, Collection
from pathlib import Path

LOOPBACK = "127.0.0.1"
_LOWEST_PORT = 15_000
_HIGHEST_PORT = 32_000
_ATTEMPTS = 200


def find_free_port(*, taken: Collection[int] = ()) -> int:
    """A port that nobody listens on, outside the range that the system deals to outgoing connections.

    Inside that range a client that keeps trying to reach a stopped server may get the server's own port as its source,
    connect to itself, and keep the server from ever coming back on it.

    Args:
        taken: ports promised to others that may not listen yet.

    Raises:
        OSError: none was found.
    """
    highest = min(_HIGHEST_PORT, _first_ephemeral_port() - 1)
    lowest = min(_LOWEST_PORT, highest - 5_000)
    for _ in range(_ATTEMPTS):
        port = random.randint(lowest, highest)  # noqa: S311 - no secret
        if port not in taken and _is_free(port):
            return port
    raise OSError(f"no free port found between {lowest} and {highest}")


def wait_until(
    is_ready: Callable[[], bool],
    *,
    is_hopeless: Callable[[], bool],
    timeout_seconds: float,
    pause_seconds: float = 0.05,
) -> bool:
    """Asks again and again until something is ready.

    Args:
        is_ready: the question.
        is_hopeless: whether asking on makes no sense (the server died, the start was given up).
        timeout_seconds: when to give up.
        pause_seconds: time between two questions.

    Returns:
        Whether it became ready.
    """
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline and not is_hopeless():
        if is_ready():
            return True
        time.sleep(pause_seconds)
    return False


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As both servers do; without it a port with connections in TIME_WAIT would look taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def _first_ephemeral_port() -> int:
    try:
        return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except OSError:
        return 49_152  # IANA's dynamic range, as macOS uses it
