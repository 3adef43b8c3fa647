from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from edge.journal import Journal
from edge.publishers.jsonlines import JsonLinesPublisher, JsonLinesSettings
from tests.edge.publishers.broker import PATIENCE_S
from tests.edge.records import a_record


def _write(journal: Journal, settings: JsonLinesSettings, num_decisions: int) -> None:
    publisher = JsonLinesPublisher(settings, journal.outbox("lines"))
    publisher.start()
    for _ in range(num_decisions):
        record = a_record(journal.next_seq)
        journal.append(record)
        publisher.tell(record)
    assert publisher.flush(PATIENCE_S)
    publisher.stop()


def _seqs(path: Path) -> list[int]:
    return [json.loads(line)["seq"] for line in path.read_text(encoding="utf-8").splitlines()]


def test_each_decision_is_one_line_and_a_restart_goes_on(journal: Journal, tmp_path: Path) -> None:
    settings = JsonLinesSettings(tmp_path / "log" / "decisions.jsonl")

    _write(journal, settings, 3)
    _write(journal, settings, 2)

    assert _seqs(settings.path) == [1, 2, 3, 4, 5]


def test_a_line_that_a_power_cut_tore_stays_alone(journal: Journal, tmp_path: Path) -> None:
    settings = JsonLinesSettings(tmp_path / "decisions.jsonl")
    settings.path.write_text('{"schema":1,"se', encoding="utf-8")

    _write(journal, settings, 1)

    torn, whole = settings.path.read_text(encoding="utf-8").splitlines()
    assert torn == '{"schema":1,"se'
    assert json.loads(whole)["seq"] == 1


@pytest.mark.parametrize("num_old", [0, 2])
def test_files_turn_over_by_size_and_the_oldest_goes(journal: Journal, tmp_path: Path, num_old: int) -> None:
    settings = JsonLinesSettings(tmp_path / "decisions.jsonl", max_bytes=1000, num_old=num_old)

    _write(journal, settings, 20)

    files = sorted(path.name for path in tmp_path.glob("decisions*"))
    assert files == ["decisions.jsonl", "decisions.jsonl.1", "decisions.jsonl.2"][: num_old + 1]
    assert settings.path.stat().st_size < 2000
    kept = [seq for name in reversed(files) for seq in _seqs(tmp_path / name)]
    assert kept == list(range(kept[0], 21))


def test_a_file_that_cannot_be_written_is_a_problem_and_loses_nothing(journal: Journal, tmp_path: Path) -> None:
    has_failed = threading.Event()
    may_go_on = threading.Event()

    def wait(_stopping: threading.Event, _pause_s: float) -> bool:
        has_failed.set()
        return may_go_on.wait(PATIENCE_S)

    settings = JsonLinesSettings(tmp_path / "decisions.jsonl")
    settings.path.mkdir()
    publisher = JsonLinesPublisher(settings, journal.outbox("lines"), wait)
    publisher.start()
    journal.append(a_record(1))
    publisher.tell(a_record(1))
    assert has_failed.wait(PATIENCE_S)
    assert publisher.problem is not None
    assert "cannot be written: Is a directory" in publisher.problem

    settings.path.rmdir()
    may_go_on.set()

    assert publisher.flush(PATIENCE_S)
    assert _seqs(settings.path) == [1]
    assert publisher.problem is None
    publisher.stop()
