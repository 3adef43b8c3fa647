"""The thread that carries an outbox to its sink: one decision at a time, the next after its receipt."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from edge.errors import SorterError
from edge.journal import Entry, Outbox

_log = logging.getLogger(__name__)

_BATCH_SIZE = 50
# So many are offered one after the other before the sink is left alone for a while: it may refuse all of them.
_MAX_REFUSED = 3


class Courier:
    """Delivers decisions in order of `seq`, so that a sink sees each at least once and none early.

    `deliver` blocks until the sink has answered: True when it has the decision, False when it will not take this
    one, None once `stopping` is set. One letter on the way at a time means that a repeat can only be of the last
    one. What the sink refuses is offered again after a `pause`; once it takes a later decision, the refused one is
    offered a last time: it was at fault itself, and is left out, so that it does not hold up the others for ever, or
    the sink was, and it comes late rather than never.
    """

    def __init__(
        self,
        outbox: Outbox,
        deliver: Callable[[Entry, threading.Event], bool | None],
        pause: Callable[[threading.Event], object],
    ) -> None:
        self._outbox = outbox
        self._deliver = deliver
        self._pause = pause
        self._news = threading.Event()
        self._stopping = threading.Event()
        self._progress = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=f"courier-{outbox.sink}", daemon=True)

    def start(self) -> None:
        """Deliver what waits from earlier, then whatever comes."""
        self._thread.start()

    def wake(self) -> None:
        """A decision was written; never blocks."""
        self._news.set()

    def flush(self, timeout_s: float) -> bool:
        """Wait until the sink has everything; whether it has."""
        with self._progress:
            return self._progress.wait_for(lambda: not self._outbox.pending(1), timeout_s)

    def stop(self, timeout_s: float) -> None:
        """End the thread; the delivery in hand is given up, not lost."""
        self._stopping.set()
        self._news.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        if self._thread.is_alive():
            _log.error("the courier to %s did not end within %.1f s", self._outbox.sink, timeout_s)

    def _run(self) -> None:
        try:
            self._news.clear()
            while not self._stopping.is_set():
                if not self._deliver_pending():
                    self._news.wait()
                # Before `_stopping` is asked: what `stop` says after that must not be wiped away.
                self._news.clear()
        except SorterError:
            # One that `stop` has left behind may find the journal closed.
            if not self._stopping.is_set():
                raise

    def _deliver_pending(self) -> bool:
        """Whether there was anything to deliver."""
        entries = self._outbox.pending(_BATCH_SIZE)
        refused: list[Entry] = []
        for entry in entries:
            is_taken = self._deliver(entry, self._stopping)
            if is_taken is None or (is_taken and not self._settle(refused)):
                return True
            if is_taken:
                self._acknowledge(entry.seq)
                refused = []
            else:
                refused.append(entry)
            if len(refused) == _MAX_REFUSED:
                break
        if refused:
            self._pause(self._stopping)
        return bool(entries)

    def _settle(self, refused: list[Entry]) -> bool:
        """Offer once more what was refused before one that was taken; False once `stopping` is set."""
        for entry in refused:
            is_taken = self._deliver(entry, self._stopping)
            if is_taken is None:
                return False
            if not is_taken:
                _log.warning("%s refuses decision %d and takes the next: it is left out", self._outbox.sink, entry.seq)
        return True

    def _acknowledge(self, seq: int) -> None:
        with self._progress:
            self._outbox.acknowledge(seq)
            self._progress.notify_all()
