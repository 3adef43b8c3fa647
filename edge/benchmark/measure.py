"""Measuring: the network alone as TFLite's own tool does, the whole loop over a camera, and the start."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from edge.benchmark.timing import Timing
from edge.bundle import Bundle
from edge.classifiers.litert import LiteRTClassifier
from edge.clock import PacedClock
from edge.config import Config
from edge.errors import UnavailableError
from edge.running.telemetry import Stage
from edge.service import open_rehearsal

WHOLE = "whole"
INVOKE = "invoke"
# TFLite's benchmark_model: half a second of warm-up, then at least 50 runs and a second, and no more than 150 s.
_WARM_UP_S = 0.5
_MIN_RUNS, _MIN_S, _MAX_S = 50, 1.0, 150.0
# Fewer threads leave cores for the camera, MQTT and the page: they win when they are this near the best.
_WORTH_A_THREAD = 0.9
_START_TIMEOUT_S = 120.0


def time_invoke(bundle: Bundle, num_threads: int, delegate: str | None = None) -> Timing:
    """The network on one fixed picture, warmed up, its threads on cores of their own; through `delegate` if given.

    Raises:
        UnavailableError: the delegate finds no accelerator. BundleError: no model is compiled for it.
    """
    with _pinned(num_threads):  # before the threads are made: each inherits the cores of its maker
        classifier = LiteRTClassifier(bundle, num_threads, delegate=delegate)
        spec = classifier.input_spec
        picture = np.random.default_rng(0).integers(0, 256, (spec.height_px, spec.width_px, 3), np.uint8)
        began_s = time.perf_counter()
        while time.perf_counter() - began_s < _WARM_UP_S:
            classifier.infer(picture)
        durations_s: list[float] = []
        began_s = time.perf_counter()
        while (spent_s := time.perf_counter() - began_s) < _MIN_S or (
            len(durations_s) < _MIN_RUNS and spent_s < _MAX_S
        ):
            durations_s.append(classifier.infer(picture)[2])
        return Timing.of(durations_s)


@contextmanager
def _pinned(num_cores: int) -> Iterator[None]:
    """Keep this thread, and those it makes meanwhile, on so many of the fastest cores; taskset(1) from within."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before, key=lambda core: (-_highest_khz(core), core))[:num_cores])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _highest_khz(core: int) -> int:
    """0 where nothing tells: all cores are the same then."""
    try:
        return int(Path(f"/sys/devices/system/cpu/cpu{core}/cpufreq/cpuinfo_max_freq").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 0


def recommended_threads(sweep: dict[int, Timing]) -> int:
    """The fewest threads that are nearly as fast as the best."""
    best_ms = min(timing.p50_ms for timing in sweep.values())
    return min(threads for threads, timing in sweep.items() if best_ms >= _WORTH_A_THREAD * timing.p50_ms)


class LoopRun:
    """The whole loop, a tick at a time, each stage's durations kept. Actuators only log, nothing is published."""

    def __init__(self) -> None:
        self._durations_s: dict[str, list[float]] = {name: [] for name in (*Stage, WHOLE)}
        self.num_frames = 0
        self.elapsed_s = 0.0
        self.num_decisions = 0

    def run(
        self, config: Config, clock: PacedClock, seconds: float, each_tick: Callable[[], None] = lambda: None
    ) -> None:
        """Step for `seconds`, or until the source ends. Once more adds to what was measured."""
        with open_rehearsal(config, clock, [self._count]) as loop:
            telemetry = loop.telemetry
            began_s = time.perf_counter()
            while time.perf_counter() - began_s < seconds:
                before_s = {stage: telemetry.total_s(stage) for stage in Stage}
                if not loop.step():
                    break
                spent_s = {stage: telemetry.total_s(stage) - before_s[stage] for stage in Stage}
                self._add(spent_s)
                each_tick()
            self.elapsed_s += time.perf_counter() - began_s

    def timings(self) -> dict[str, Timing]:
        """By stage; `whole` is a tick that classified, without the wait for its frame."""
        return {name: Timing.of(durations_s) for name, durations_s in self._durations_s.items() if durations_s}

    def recent_ms(self, num_ticks: int) -> tuple[float, float]:
        """Median and p95 of the last whole ticks; NaN while there are none."""
        last = self._durations_s[WHOLE][-num_ticks:]
        if not last:
            return float("nan"), float("nan")
        p50, p95 = np.percentile(last, (50, 95)) * 1000
        return float(p50), float(p95)

    def _add(self, spent_s: dict[Stage, float]) -> None:
        self.num_frames += 1
        for stage, duration_s in spent_s.items():
            if duration_s > 0:
                self._durations_s[stage].append(duration_s)
        if spent_s[Stage.CLASSIFY] > 0:
            self._durations_s[WHOLE].append(sum(spent_s.values()) - spent_s[Stage.CAPTURE])

    def _count(self, _record: object) -> None:
        self.num_decisions += 1


def time_start(arguments: Sequence[str] = ()) -> float:
    """Seconds from starting a fresh process to its first decision, on the shipped demo at full speed.

    Raises:
        UnavailableError: it ends without a decision.
    """
    program = Path(sys.argv[0]) if Path(sys.argv[0]).name == "sorter" else Path(sys.executable).with_name("sorter")
    began_s = time.perf_counter()
    command = [str(program), "demo", "--fast", "--items", "1", "--json", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - this very program
        line = next(_lines(process), "")
        took_s = time.perf_counter() - began_s
        process.communicate(timeout=_START_TIMEOUT_S)
    if not line:
        raise UnavailableError(f"{' '.join(command)} made no decision: run it by itself to see why")
    return took_s


def _lines(process: subprocess.Popen[str]) -> Iterator[str]:
    if process.stdout is not None:
        yield from process.stdout
