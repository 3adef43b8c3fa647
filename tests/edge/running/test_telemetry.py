"""Timings in bounded memory."""

from __future__ import annotations

from edge.messages import Phase
from edge.running.telemetry import EDGES_S, WINDOW, Histogram, Stage, Telemetry


def test_a_histogram_counts_each_duration_once_and_adds_up() -> None:
    histogram = Histogram((0.01, 0.1))
    for duration_s in (0.001, 0.01, 0.05, 7.0):
        histogram.add(duration_s)
    assert histogram.cumulative() == [2, 3, 4], "an edge belongs to the bucket below it"
    assert (histogram.count, histogram.sum_s) == (4, 7.061)


def test_every_run_of_a_stage_is_counted_although_only_the_last_ones_are_kept() -> None:
    telemetry = Telemetry()
    for _ in range(WINDOW + 10):
        with telemetry.timed(Stage.DECIDE):
            pass
    assert telemetry.count(Stage.DECIDE) == WINDOW + 10
    assert telemetry.histogram(Stage.DECIDE).cumulative()[-1] == WINDOW + 10
    assert telemetry.total_s(Stage.DECIDE) < EDGES_S[-1]
    assert set(telemetry.percentiles_ms()) == {"decide"}


def test_a_tick_is_counted_with_its_phase() -> None:
    telemetry = Telemetry()
    telemetry.saw(Phase.SETTLED)
    assert (telemetry.num_frames, telemetry.phase) == (1, Phase.SETTLED)
