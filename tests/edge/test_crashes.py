"""What must hold when the power goes at any moment; `tests/bench/process_kills.py` does it 200 times."""

from __future__ import annotations

from pathlib import Path

from tests.bench import process_kills


def test_no_decision_is_lost_doubled_or_moved_before_it_is_written(mosquitto: str, tmp_path: Path) -> None:
    tally = process_kills.run(mosquitto, tmp_path, num_kills=4, seed=7)

    assert tally.is_clean, tally
    assert tally.moved > 0
    assert tally.told == tally.journalled >= 4
