"""The socket at which the page is asked for."""

from __future__ import annotations

import errno
import socket

from edge.errors import AccessDeniedError, UnavailableError

_BACKLOG = 64


def listen_at(host: str, port: int) -> socket.socket:
    """A socket that listens at the name or address `host`, of either kind of IP; `port` 0 takes a free one.

    Raises:
        UnavailableError: the port is taken, or the address is not of this machine.
        AccessDeniedError: the port is one that this user may not take.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
        # A bin that starts again must not wait for the last one's connections to be forgotten.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(address)
            listening.listen(_BACKLOG)
        except OSError:
            listening.close()
            raise
    except PermissionError as error:
        raise AccessDeniedError(f"web: port {port} is only for root; take one above 1023") from error
    except OSError as error:
        meaning = "another program has it" if error.errno == errno.EADDRINUSE else error.strerror
        raise UnavailableError(
            f"web: cannot listen on {host} port {port}: {meaning}; choose another (web.port, or --port of demo and try)"
        ) from error
    return listening
