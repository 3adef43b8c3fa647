from __future__ import annotations

import socket
from pathlib import Path

import pytest

from edge.clock import Patience, ReplayClock, SystemClock
from edge.host.notify import notify


def test_a_replayed_clock_moves_only_forward() -> None:
    clock = ReplayClock()
    clock.advance_to(2.0)
    clock.advance_to(1.0)
    assert clock.now_s() == 2.0
    assert (clock.wall(3.0) - clock.wall(1.0)).total_seconds() == pytest.approx(2)


def test_waits_that_share_a_patience_leave_something_to_each_other_and_stay_within_it() -> None:
    clock = ReplayClock()
    patience = Patience(4.0, clock.now_s)
    given_s = []
    for _ in range(5):
        given_s.append(patience.next_s())
        clock.advance_to(clock.now_s() + given_s[-1])
    assert given_s == [2.0, 1.0, 0.5, 0.25, 0.125]
    clock.advance_to(5.0)
    assert patience.next_s() == 0.0


def test_the_system_clock_starts_at_nought_and_grows() -> None:
    clock = SystemClock()
    first_s, second_s = clock.now_s(), clock.now_s()
    assert 0 <= first_s <= second_s < 60


def test_the_service_manager_hears_the_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        assert notify("READY=1")
        assert manager.recv(100) == b"READY=1"


def test_without_a_service_manager_nothing_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    assert not notify("READY=1")
