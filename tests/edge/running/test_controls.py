from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from edge.clock import ReplayClock
from edge.journal import IN_MEMORY, Journal
from edge.publishers.commands import Inbox, MarkWrong, SetEnabled, SetUnknownThreshold, Verb
from edge.running.controls import Controls
from tests.edge.records import a_record


@pytest.fixture
def journal() -> Iterator[Journal]:
    with closing(Journal(IN_MEMORY, ReplayClock())) as journal:
        yield journal


class Bench:
    def __init__(self, journal: Journal, configured: float = 0.55) -> None:
        self.inbox = Inbox(("metal", "glass"))
        self.thresholds: list[float] = []
        self.num_installs = 0
        self.controls = Controls(
            self.inbox, journal, lambda task: task(), configured, self.thresholds.append, self._install
        )

    def _install(self) -> None:
        self.num_installs += 1


def test_nothing_is_obeyed_before_its_turn_between_two_ticks(journal: Journal) -> None:
    bench = Bench(journal)
    bench.inbox.receive("enabled/set", b"OFF")
    assert bench.controls.is_enabled
    bench.controls.attend()
    assert not bench.controls.is_enabled


def test_a_bin_that_was_switched_off_stays_off_after_a_restart(
    journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    first = Bench(journal)
    first.inbox.put(SetEnabled(is_enabled=False))
    first.controls.attend()

    again = Bench(journal)
    assert not again.controls.is_enabled
    assert "switched off since an earlier run" in caplog.text
    again.inbox.put(SetEnabled(is_enabled=True))
    again.controls.attend()
    assert Bench(journal).controls.is_enabled


def test_a_threshold_outlives_a_restart_until_the_configuration_names_another(
    journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    first = Bench(journal)
    first.inbox.put(SetUnknownThreshold(0.8))
    first.controls.attend()
    assert first.thresholds == [0.8]

    assert Bench(journal).controls.unknown_threshold == 0.8
    assert "unknown below 0.8, as was set while it ran" in caplog.text
    changed = Bench(journal, configured=0.6)
    assert changed.controls.unknown_threshold == 0.6
    assert changed.thresholds == []


def test_a_threshold_set_back_to_the_configured_one_is_no_news(
    journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    first = Bench(journal)
    for threshold in (0.8, first.controls.unknown_threshold):
        first.inbox.put(SetUnknownThreshold(threshold))
        first.controls.attend()
    Bench(journal)
    assert "as was set while it ran" not in caplog.text


def test_the_last_decision_is_marked_wrong(journal: Journal, caplog: pytest.LogCaptureFixture) -> None:
    for seq in (1, 2):
        journal.append(a_record(seq))
    bench = Bench(journal)
    bench.inbox.put(MarkWrong("glass"))
    bench.controls.attend()
    assert [(entry.seq, entry.corrected) for entry in journal.decisions() if entry.is_wrong] == [(2, "glass")]


def test_the_verbs_restart_count_anew_and_install(journal: Journal) -> None:
    journal.append(a_record(1))
    bench = Bench(journal)
    for verb in Verb:
        assert not bench.controls.wants_restart or verb is not Verb.RESTART
        bench.inbox.put(verb)
    bench.controls.attend()
    assert bench.controls.wants_restart
    assert journal.counts() == {}
    assert bench.num_installs == 1


def test_more_commands_than_the_inbox_holds_are_refused(journal: Journal) -> None:
    inbox = Inbox(())
    taken = [inbox.put(Verb.RESET_COUNTS) for _ in range(40)]
    assert taken.index(False) == 16
    assert not any(taken[16:])
