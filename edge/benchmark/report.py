"""The whole benchmark: what is measured in which order, its JSON form, its table, its picture, its soak."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge.assembly.models import bundle_path
from edge.benchmark.device import Device, Reading, energy_j, memory_mb
from edge.benchmark.measure import INVOKE, LoopRun, recommended_threads, time_invoke, time_start
from edge.benchmark.timing import Comparison, Timing, compare
from edge.bundle import load_bundle
from edge.charts import Bar, Line, bar_chart, line_chart
from edge.clock import ReplayClock, SystemClock
from edge.config import Config
from edge.config.sections import ReplayCameraSection, SimulatedCameraSection
from edge.errors import InvalidDataError, MissingInputError
from edge.signatures import load_trusted_bundle

_SOAK_EVERY_S = 5.0
_RECENT_TICKS = 200


class SoakPoint(Reading):
    """The machine and the whole tick's latency, `at_s` seconds after the start."""

    at_s: float
    p50_ms: float | None
    p95_ms: float | None


class Report(BaseModel):
    """What `sorter benchmark --json` prints; `model_invoke` and `thread_sweep` are of the network alone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = Field(default=1, alias="schema")
    device: Device
    runtime: str
    delegate: str
    model: str
    camera: str
    threads: int
    thread_sweep: dict[int, Timing]
    recommended_threads: int
    model_invoke: dict[str, Timing]
    stages: dict[str, Timing]
    num_frames: int
    num_decisions: int
    frames_per_s: float
    start_to_first_decision_s: float | None
    memory_mb: float
    peak_memory_mb: float
    energy_mj_per_frame: float | None
    before: Reading
    after: Reading
    soak: tuple[SoakPoint, ...] = ()

    def to_json(self) -> str:
        """The JSON object."""
        return self.model_dump_json(indent=2, by_alias=True)


def load_report(path: Path) -> Report:
    """An earlier report.

    Raises:
        MissingInputError: there is no such file.
        InvalidDataError: it is not a report of this version.
    """
    try:
        return Report.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise MissingInputError(
            f"no earlier benchmark at {path}: `sorter benchmark --json > {path}` makes one"
        ) from error
    except (ValidationError, json.JSONDecodeError) as error:
        raise InvalidDataError(
            f"{path} is not what `sorter benchmark --json` prints: {str(error).splitlines()[0]}"
        ) from error


def benchmark(
    config: Config,
    *,
    seconds: float,
    sweep: Sequence[int],
    others: Sequence[Path] = (),
    soak_s: float = 0.0,
    has_start: bool = True,
    tell: Callable[[str], None] = lambda _: None,
) -> Report:
    """Measure this machine with the camera and the model of `config`; `others` are further bundles to time alone.

    `seconds` is how long the loop runs, at least a few hundred frames are wanted; `soak_s` goes on after it.
    """
    bundle = load_trusted_bundle(bundle_path(config), config.model.public_key)
    before = Reading.now()
    tell("the network alone")
    by_threads = {threads: time_invoke(bundle, threads) for threads in sweep}
    invokes = {bundle.short_name: by_threads.get(config.model.threads) or time_invoke(bundle, config.model.threads)}
    for path in others:
        other = load_bundle(path)
        invokes[f"{other.short_name} ({path})"] = time_invoke(other, config.model.threads)
    tell("the whole loop")
    run, energy = LoopRun(), _EnergyMeter()
    _run_for(seconds, config, run)
    soak = tuple(_soak(config, run, soak_s, tell)) if soak_s else ()
    energy_mj = energy.mj_per(run.num_frames)
    tell("the start")
    memory_now_mb, memory_peak_mb = memory_mb()
    return Report(
        device=Device.here(),
        runtime="LiteRT",
        delegate="XNNPACK",
        model=bundle.short_name,
        camera=config.camera.backend,
        threads=config.model.threads,
        thread_sweep=by_threads,
        recommended_threads=recommended_threads(by_threads),
        model_invoke=invokes,
        stages=run.timings(),
        num_frames=run.num_frames,
        num_decisions=run.num_decisions,
        frames_per_s=round(run.num_frames / max(run.elapsed_s, 1e-9), 2),
        start_to_first_decision_s=round(time_start(), 2) if has_start else None,
        memory_mb=memory_now_mb,
        peak_memory_mb=memory_peak_mb,
        energy_mj_per_frame=energy_mj,
        before=before,
        after=Reading.now(),
        soak=soak,
    )


def is_replayed(config: Config) -> bool:
    """Whether the camera is as fast as it is asked, so that the run measures the loop and not the wait."""
    return isinstance(config.camera, (ReplayCameraSection, SimulatedCameraSection))


def compare_reports(before: Report, now: Report) -> list[Comparison]:
    """Every stage that both have, and the network alone where it is the same model."""
    pairs = [(name, before.stages[name], now.stages[name]) for name in now.stages if name in before.stages]
    alone = [
        (INVOKE, timing, now.model_invoke[name])
        for name, timing in before.model_invoke.items()
        if name in now.model_invoke
    ]
    return [compare(*pair) for pair in alone + pairs]


def table(report: Report) -> Iterator[str]:
    """The report as lines for a terminal."""
    device = report.device
    yield f"{device.name}, {device.processor}, {device.num_cores} cores{_governor(device)}, Linux {device.kernel}"
    runtime = f"{report.runtime} with {report.delegate}"
    yield f"{report.model} on {report.threads} threads, {runtime}; camera: {report.camera}"
    yield ""
    yield f"{'stage':<24}{'p50':>10}{'p95':>10}{'p99':>10}{'runs':>9}"
    for name, timing in [*report.model_invoke.items(), *report.stages.items()]:
        label = f"{name} alone" if name in report.model_invoke else name
        yield f"{label:<24}{timing.p50_ms:>7.2f} ms{timing.p95_ms:>7.2f} ms{timing.p99_ms:>7.2f} ms{timing.num_runs:>9}"
    yield ""
    sweep = ", ".join(f"{threads}: {timing.p50_ms:.2f} ms" for threads, timing in report.thread_sweep.items())
    yield f"threads: {sweep}; recommended: {report.recommended_threads}"
    yield f"{report.frames_per_s:g} frames/s over {report.num_frames} frames, {report.num_decisions} decisions"
    if report.start_to_first_decision_s is not None:
        yield f"start to first decision {report.start_to_first_decision_s:g} s"
    yield f"memory {report.memory_mb:g} MB, at most {report.peak_memory_mb:g} MB"
    if report.energy_mj_per_frame is not None:
        yield f"energy {report.energy_mj_per_frame:g} mJ a frame (whole processor)"
    if report.after.temperature_c is not None:
        yield f"temperature {report.before.temperature_c:.0f} C before, {report.after.temperature_c:.0f} C after"
    if report.after.throttled:
        yield "THROTTLED: see `sorter doctor`, these figures are those of a slowed-down device"


def comparison_table(comparisons: Sequence[Comparison]) -> Iterator[str]:
    """A line for each stage."""
    yield f"{'stage':<12}{'now/before':>12}{'noise':>10}   verdict"
    for one in comparisons:
        yield f"{one.stage:<12}{one.ratio:>12.2f}{one.noise:>9.0%}   {one.verdict.value}"


def chart(report: Report) -> str:
    """SVG: the stages as bars from nothing to p50 with whiskers to p95, or latency and temperature over the soak."""
    if not report.soak:
        bars = [Bar(name, timing.p50_ms, timing.p50_ms, timing.p95_ms, "ms") for name, timing in report.stages.items()]
        return bar_chart(bars, title=f"{report.model}: median, and up to p95", x_label="milliseconds")
    minutes = [point.at_s / 60 for point in report.soak]
    lines = [
        Line("p50", minutes, [_number(point.p50_ms) for point in report.soak]),
        Line("p95", minutes, [_number(point.p95_ms) for point in report.soak]),
    ]
    latency = line_chart(lines, title=f"{report.model}: one tick", x_label="minutes", y_label="milliseconds")
    degrees = [_number(point.temperature_c) for point in report.soak]
    if all(math.isnan(degree) for degree in degrees):
        return latency
    heat = line_chart([Line("processor", minutes, degrees)], title="Temperature", x_label="minutes", y_label="C")
    return _stacked(latency, heat)


def _soak(config: Config, run: LoopRun, seconds: float, tell: Callable[[str], None]) -> Iterator[SoakPoint]:
    """Go on for `seconds`, however often the source ends, and look at the machine every few of them."""
    points: list[SoakPoint] = []
    began_s = time.monotonic()

    def look() -> None:
        at_s = time.monotonic() - began_s
        if points and at_s - points[-1].at_s < _SOAK_EVERY_S:
            return
        p50, p95 = run.recent_ms(_RECENT_TICKS)
        reading = Reading.now()
        points.append(
            SoakPoint(at_s=round(at_s, 1), p50_ms=_or_none(p50), p95_ms=_or_none(p95), **reading.model_dump())
        )
        tell(f"soak {at_s / 60:.1f} of {seconds / 60:.1f} min")

    _run_for(seconds, config, run, look)
    return iter(points)


def _run_for(seconds: float, config: Config, run: LoopRun, each_tick: Callable[[], None] = lambda: None) -> None:
    """Run the loop for so long; a source that ends begins again, unless it gave nothing."""
    ends_at_s = time.monotonic() + seconds
    num_before = -1
    while (left_s := ends_at_s - time.monotonic()) > 0 and run.num_frames > num_before:
        num_before = run.num_frames
        run.run(config, ReplayClock() if is_replayed(config) else SystemClock(), left_s, each_tick)


class _EnergyMeter:
    """What the processor used since this was made."""

    def __init__(self) -> None:
        self._began_j = energy_j()

    def mj_per(self, num_frames: int) -> float | None:
        """Millijoules for each of so many frames; None where nothing tells, or the counter went round."""
        now_j = energy_j()
        if self._began_j is None or now_j is None or now_j < self._began_j or num_frames == 0:
            return None
        return round((now_j - self._began_j) * 1000 / num_frames, 2)


def _governor(device: Device) -> str:
    return f", {device.governor}" if device.governor else ""


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 3)


def _stacked(upper: str, lower: str) -> str:
    """Two charts below each other as one picture."""
    moved = lower.replace("<svg ", '<svg y="360" ', 1)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 720" width="640" height="720">{upper}{moved}</svg>'
    )
