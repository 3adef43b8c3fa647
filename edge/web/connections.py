"""Connections that cost little: few at a time, and none that keeps its place by keeping the page waiting."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

# A browser opens six; a file descriptor each, of which the camera and the journal need some too.
MAX_CONNECTIONS = 64


class BoundedConnection(H11Protocol):
    """One client's connection. Beyond MAX_CONNECTIONS whoever holds the most gives one up.

    A request's head must be there `patience_s` after connecting or after the last answer, its body must not pause
    for longer, and its answer must have been read `answer_s` after its head. uvicorn itself waits for ever, and
    counts such connections against everyone.
    """

    def __init__(self, *, patience_s: float, answer_s: float, **given: Any) -> None:
        super().__init__(**given)
        self._patience_s = patience_s
        self._answer_s = answer_s
        self._answered_by_s = 0.0
        self._alarm: asyncio.TimerHandle | None = None
        # When it came, or was last answered.
        self.since_s = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        if len(self.connections) >= MAX_CONNECTIONS:
            self._make_room()
        super().connection_made(transport)
        self._await_request()

    def data_received(self, data: bytes) -> None:
        before = self.cycle
        super().data_received(data)
        self._attend(is_new=self.cycle is not before)

    def on_response_complete(self) -> None:
        before = self.cycle
        super().on_response_complete()
        self._await_request()
        self._attend(is_new=self.cycle is not before)  # the next request may have come already

    def connection_lost(self, exc: Exception | None) -> None:
        self._hang_up_at(None)
        super().connection_lost(exc)

    @property
    def host(self) -> str:
        """The address of the client."""
        return "" if self.client is None else self.client[0]

    @property
    def is_busy(self) -> bool:
        """Whether a request is being answered."""
        return self.cycle is not None and not self.cycle.response_complete

    @property
    def is_waiting(self) -> bool:
        """Whether it is the client's turn: to ask, to send the rest, or to read."""
        return not self.is_busy or self.cycle.more_body or self.flow.write_paused

    def _await_request(self) -> None:
        self.since_s = self.loop.time()
        self._hang_up_at(self.since_s + self._patience_s)

    def _attend(self, *, is_new: bool) -> None:
        """Bound what a request may take; what is no whole head yet has its bound already."""
        if not self.is_busy:
            return
        now_s = self.loop.time()
        if is_new:
            self._answered_by_s = now_s + self._answer_s
        body_by_s = now_s + self._patience_s if self.cycle.more_body else self._answered_by_s
        self._hang_up_at(min(body_by_s, self._answered_by_s))

    def _hang_up_at(self, at_s: float | None) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = None if at_s is None else self.loop.call_at(at_s, self.transport.abort)

    def _make_room(self) -> None:
        """Hang up on one of the address with the most connections: the one that keeps the page waiting longest."""
        others = [one for one in self.connections if isinstance(one, BoundedConnection)]
        num_held = Counter(one.host for one in others)
        longest = min(others, key=lambda one: (-num_held[one.host], not one.is_waiting, one.since_s))
        # Now, not when the transport gets round to it: a burst of connections must not find it still there.
        self.connections.discard(longest)
        longest.transport.abort()
