"""The address at which the HTTP API listens."""

import socket

from app.settings import Settings, variable


class ListenError(Exception):
    """Nobody can listen at the address that was set; the message says why."""


def listen(settings: Settings) -> socket.socket:
    """Give a socket that listens; connections wait in it until somebody serves them.

    Raises:
        ListenError: the address is taken, or none of ours.
    """
    family = socket.AF_INET6 if ":" in settings.api_host else socket.AF_INET
    # With its protocol named: else asyncio does not see that it is TCP, and leaves small packets to wait for one
    # another, which held every answer back by 40 ms.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((settings.api_host, settings.api_port))
        listening.listen(2048)
    except OSError as error:
        listening.close()
        raise ListenError(
            f"cannot listen at {settings.api_host} port {settings.api_port} ({variable('api_host')},"
            f" {variable('api_port')}): {error.strerror or error}"
        ) from error
    return listening
