"""The socket at which the page is asked for."""

from __future__ import annotations

import errno
import logging
import socket

from edge.errors import AccessDeniedError, UnavailableError

log = logging.getLogger(__name__)

_BACKLOG = 64
_IP_FREEBIND = 15  # ip(7); Python has no name for it
_MEANINGS = {errno.EADDRINUSE: "another program has it", errno.EADDRNOTAVAIL: "that is no address of this machine"}


def listen_at(host: str, port: int, *, is_patient: bool = False) -> socket.socket:
    """A socket that listens at the name or address `host`, of either kind of IP; `port` 0 takes a free one.

    With `is_patient` the address may come to this machine later: a bin sorts while the network is away.

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
            try:
                listening.bind(address)
            except OSError as error:
                if not is_patient or error.errno != errno.EADDRNOTAVAIL:
                    raise
                log.warning("web: %s is no address of this machine now; nobody finds the page before it is one", host)
                listening.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
                listening.bind(address)
            listening.listen(_BACKLOG)
        except OSError:
            listening.close()
            raise
    except PermissionError as error:
        raise AccessDeniedError(f"web: port {port} is only for root; take one above 1023") from error
    except OSError as error:
        meaning = _MEANINGS.get(error.errno or 0, error.strerror)
        raise UnavailableError(
            f"web: cannot listen on {host} port {port}: {meaning}; choose another (web.port, or --port of demo and try)"
        ) from error
    return listening
