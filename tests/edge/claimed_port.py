"""A port for what is not there yet, or not any more."""

from __future__ import annotations

import socket
from typing import Self


class ClaimedPort:
    """A port of loopback that nobody else is given as long as it is claimed; connections to it are refused.

    A server that may take an address again (SO_REUSEADDR) can listen there all the same, as often as it likes.
    """

    def __init__(self) -> None:
        self._claim = socket.socket()
        self._claim.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._claim.bind(("127.0.0.1", 0))
        self.number = int(self._claim.getsockname()[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._claim.close()
