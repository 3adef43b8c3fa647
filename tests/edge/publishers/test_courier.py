from __future__ import annotations

import queue
import threading

import pytest

from edge.errors import SorterError
from edge.journal import Entry, Journal
from edge.publishers.courier import _BATCH_SIZE, Courier
from tests.edge.publishers.broker import PATIENCE_S
from tests.edge.records import fill


def test_one_that_has_nothing_to_deliver_waits_and_ends_when_it_is_stopped(
    journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    class News(threading.Event):
        is_awaited = threading.Event()

        def wait(self, timeout: float | None = None) -> bool:
            self.is_awaited.set()
            return super().wait(timeout)

    courier = Courier(journal.outbox("sink"), lambda _entry, _stopping: True, threading.Event.wait)
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

    courier = Courier(journal.outbox("sink"), lambda _entry, _stopping: True, threading.Event.wait)
    courier._news = SlowToClear()
    courier.start()
    courier.stop(3.0)
    assert not caplog.records


def test_more_than_one_batch_arrives_though_nothing_more_is_decided(journal: Journal) -> None:
    outbox = journal.outbox("sink")
    fill(journal, 2 * _BATCH_SIZE + 1)
    offered: list[int] = []
    courier = Courier(outbox, lambda entry, _stopping: offered.append(entry.seq) is None, threading.Event.wait)
    courier.start()
    assert courier.flush(PATIENCE_S)
    courier.stop(PATIENCE_S)
    assert offered == list(range(1, 2 * _BATCH_SIZE + 2))


def test_one_whose_outbox_fails_dies_of_it(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    deaths: queue.Queue[BaseException | None] = queue.Queue()
    monkeypatch.setattr(threading, "excepthook", lambda death: deaths.put(death.exc_value))
    outbox = journal.outbox("sink")
    fill(journal, 1)
    with journal._database.transaction() as connection:
        connection.execute("DROP TABLE outbox")
    Courier(outbox, lambda _entry, _stopping: True, threading.Event.wait).start()
    assert isinstance(deaths.get(timeout=PATIENCE_S), SorterError)


def test_one_that_was_left_behind_may_find_the_journal_closed(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    deaths: list[object] = []
    monkeypatch.setattr(threading, "excepthook", deaths.append)
    is_sending, may_answer = threading.Event(), threading.Event()

    def deliver(_entry: Entry, _stopping: threading.Event) -> bool:
        is_sending.set()
        return may_answer.wait(PATIENCE_S)

    courier = Courier(journal.outbox("sink"), deliver, threading.Event.wait)
    fill(journal, 1)
    courier.start()
    assert is_sending.wait(PATIENCE_S)
    courier.stop(0.0)
    journal.close()
    may_answer.set()
    courier._thread.join(PATIENCE_S)
    assert not deaths, "it would end the bin that a reload has begun"


class Sink:
    """Notes what is offered to it, and takes all but what it `refuses`; all from decision `recovers_at` on."""

    def __init__(self, journal: Journal, refuses: set[int]) -> None:
        self.refuses = refuses
        self.recovers_at: int | None = None
        self.offered: list[int] = []
        self.has_paused = threading.Event()
        self.courier = Courier(journal.outbox("sink"), self._answer, self._pause)
        fill(journal, 6)

    def _answer(self, entry: Entry, _stopping: threading.Event) -> bool:
        self.offered.append(entry.seq)
        if entry.seq == self.recovers_at:
            self.refuses = set()
        return entry.seq not in self.refuses

    def _pause(self, stopping: threading.Event) -> None:
        self.has_paused.set()
        stopping.wait(PATIENCE_S)


def test_one_that_the_sink_alone_refuses_holds_up_none_of_the_others(
    journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    sink = Sink(journal, {2, 3})
    sink.courier.start()
    assert sink.courier.flush(PATIENCE_S)
    sink.courier.stop(PATIENCE_S)
    assert sink.offered == [1, 2, 3, 4, 2, 3, 5, 6]
    assert caplog.messages == [f"sink refuses decision {seq} and takes the next: it is left out" for seq in (2, 3)]


def test_one_that_a_sink_refused_for_a_moment_comes_late_rather_than_never(
    journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    sink = Sink(journal, {2})
    sink.recovers_at = 3
    sink.courier.start()
    assert sink.courier.flush(PATIENCE_S)
    sink.courier.stop(PATIENCE_S)
    assert sink.offered == [1, 2, 3, 2, 4, 5, 6]
    assert caplog.messages == []


def test_a_sink_that_refuses_all_loses_none_and_is_left_alone_for_a_while(
    journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    sink = Sink(journal, {1, 2, 3, 4, 5, 6})
    sink.courier.start()
    assert sink.has_paused.wait(PATIENCE_S)
    sink.courier.stop(PATIENCE_S)
    assert sink.offered == [1, 2, 3]
    assert len(journal.outbox("sink").pending(10)) == 6
    assert caplog.messages == []


def test_the_newest_one_that_is_refused_waits_until_another_comes(journal: Journal) -> None:
    sink = Sink(journal, {6})
    sink.courier.start()
    assert sink.has_paused.wait(PATIENCE_S)
    sink.courier.stop(PATIENCE_S)
    assert [entry.seq for entry in journal.outbox("sink").pending(10)] == [6]
