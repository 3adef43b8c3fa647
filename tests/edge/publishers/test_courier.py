from __future__ import annotations

import threading

import pytest

from edge.journal import Journal
from edge.publishers.courier import Courier
from tests.edge.publishers.broker import PATIENCE_S


def test_one_that_has_nothing_to_deliver_waits_and_ends_when_it_is_stopped(
    journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    class News(threading.Event):
        is_awaited = threading.Event()

        def wait(self, timeout: float | None = None) -> bool:
            self.is_awaited.set()
            return super().wait(timeout)

    courier = Courier(journal.outbox("sink"), lambda _entry, _stopping: True)
    courier._news = news = News()
    courier.start()
    assert news.is_awaited.wait(PATIENCE_S)
    courier.stop(PATIENCE_S)
    assert not caplog.records


def test_one_that_is_stopped_while_it_begins_to_wait_ends_too(
    journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    class SlowToClear(threading.Event):
        """Cleared only once it was set, as by a thread that did not get its turn meanwhile."""

        def clear(self) -> None:
            self.wait(PATIENCE_S)
            super().clear()

    courier = Courier(journal.outbox("sink"), lambda _entry, _stopping: True)
    courier._news = SlowToClear()
    courier.start()
    courier.stop(3.0)
    assert not caplog.records
