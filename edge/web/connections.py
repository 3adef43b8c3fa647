"""Connections that cost little: few at a time, and none that holds its place without asking for anything."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

# A browser opens six; a file descriptor each, of which the camera and the journal need some too.
MAX_CONNECTIONS = 64


class BoundedConnection(H11Protocol):
    """One client's connection. Beyond MAX_CONNECTIONS the one that has been idle longest makes room.

    A request's head must be there `patience_s` after connecting or after the last answer, and its body must not
    pause for longer. uvicorn itself waits for ever, and counts such connections against everyone.
    """

    def __init__(self, *, patience_s: float, **given: Any) -> None:
        super().__init__(**given)
        self._patience_s = patience_s
        self._deadline: asyncio.TimerHandle | None = None
        self.idle_since_s = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        if len(self.connections) >= MAX_CONNECTIONS and not self._make_room():
            self.transport = transport
            transport.abort()
            return
        super().connection_made(transport)
        self._wait_for_client()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.is_busy and self.cycle.more_body:
            self._wait_for_client()
        elif self.is_busy:
            self._stop_waiting()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self.is_busy:
            self._wait_for_client()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    @property
    def is_busy(self) -> bool:
        """Whether a request is being answered."""
        return self.cycle is not None and not self.cycle.response_complete

    def _wait_for_client(self) -> None:
        self._stop_waiting()
        self.idle_since_s = self.loop.time()
        self._deadline = self.loop.call_later(self._patience_s, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _make_room(self) -> bool:
        idle = [one for one in self.connections if isinstance(one, BoundedConnection) and not one.is_busy]
        if not idle:
            return False
        longest = min(idle, key=lambda one: one.idle_since_s)
        # Now, not when the transport gets round to it: a burst of connections must not find it still there.
        self.connections.discard(longest)
        longest.transport.abort()
        return True
