"""The whole benchmark: what is measured in which order, its JSON form, its table, its soak."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge.assembly.chosen import load_chosen
from edge.benchmark.device import Device, Reading, memory_mb
from edge.benchmark.energy import EnergyMeter
from edge.benchmark.measure import INVOKE, LoopRun, recommended_threads, time_invoke, time_start
from edge.benchmark.timing import Comparison, Timing, compare
from edge.bundle import Bundle, load_bundle
from edge.classifiers.litert import DELEGATES, EDGETPU
from edge.clock import ReplayClock, SystemClock
from edge.config import Config
from edge.config.sections import ReplayCameraSection, SimulatedCameraSection
from edge.errors import InvalidDataError, MissingInputError, UnavailableError, first_problem
from edge.listing import counted

_SOAK_EVERY_S = 5.0
_RECENT_TICKS = 200
# Cores that others may want: less than this changes no verdict.
_LOAD_NOISE = 0.5


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
    energy_of: str = ""
    before: Reading
    after: Reading
    soak: tuple[SoakPoint, ...] = ()

    @property
    def was_slowed(self) -> bool:
        """Whether the firmware held the clock down: it does now, or remembers it since this began (bits 17 to 19)."""
        remembered = (self.after.throttled or 0) & ~(self.before.throttled or 0)
        return self.after.is_slowed or bool(remembered >> 16 & 0b1110)

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
    except ValidationError as error:
        raise InvalidDataError(
            f"{path} is not what this `sorter benchmark --json` prints: {first_problem(error)}: measure it again"
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
    bundle = load_chosen(config).bundle
    before = Reading.now()
    tell("the network alone")
    by_threads = {threads: time_invoke(bundle, threads) for threads in sweep}
    invokes = _invokes(config, bundle, [load_bundle(path) for path in others], by_threads, tell)
    tell("the whole loop")
    run, energy = LoopRun(), EnergyMeter()
    _run_for(seconds, config, run, energy.sample)
    soak = tuple(_soak(config, run, soak_s, tell, energy)) if soak_s else ()
    joules = energy.joules()
    memory_now_mb, memory_peak_mb = memory_mb()
    tell("the start")
    return Report(
        device=Device.here(),
        runtime="LiteRT",
        delegate="XNNPACK" if DELEGATES[config.model.backend] is None else "EdgeTPU",
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
        start_to_first_decision_s=round(time_start(("--bundle", str(bundle.path))), 2) if has_start else None,
        memory_mb=memory_now_mb,
        peak_memory_mb=memory_peak_mb,
        energy_mj_per_frame=None if joules is None else round(joules * 1000 / max(run.num_frames, 1), 2),
        energy_of=energy.source,
        before=before,
        after=Reading.now(),
        soak=soak,
    )


def _invokes(
    config: Config,
    bundle: Bundle,
    others: Sequence[Bundle],
    by_threads: dict[int, Timing],
    tell: Callable[[str], None],
) -> dict[str, Timing]:
    """The network alone, by what it is and where it runs; the first is what the bin runs on the CPU.

    Raises:
        UnavailableError: the configuration asks for an accelerator that is not there.
    """
    threads = config.model.threads
    invokes = {_cpu_name(bundle): by_threads.get(threads) or time_invoke(bundle, threads)}
    if bundle.edgetpu_model_path is not None or config.model.backend == "edgetpu":
        try:
            invokes[f"{bundle.short_name} int8, EdgeTPU"] = time_invoke(bundle, threads, EDGETPU)
        except UnavailableError as error:
            if config.model.backend == "edgetpu":
                raise
            tell(f"no EdgeTPU ({error})")
    for other in others:
        invokes[_cpu_name(other)] = time_invoke(other, threads)
    return invokes


def _cpu_name(bundle: Bundle) -> str:
    return f"{bundle.short_name} {bundle.manifest.precision}, CPU"


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


def differences(before: Report, now: Report) -> Iterator[str]:
    """What else changed between two reports, and so may be the reason for what is slower."""
    for what in ("model", "camera", "threads", "runtime", "delegate"):
        then, today = getattr(before, what), getattr(now, what)
        if then != today:
            yield f"{what}: {today}, it was {then}"
    for what, then in before.device:
        today = getattr(now.device, what)
        if then != today:
            yield f"{what}: {today or 'not told'}, it was {then or 'not told'}"
    then, today = before.before.load, now.before.load
    if then is not None and today is not None and abs(then - today) > _LOAD_NOISE:
        yield f"load: other programs wanted {today:g} cores before it began, it was {then:g}"
    if before.was_slowed:
        yield "clock: the earlier figures are those of a slowed-down device"


def table(report: Report) -> Iterator[str]:
    """The report as lines for a terminal."""
    device = report.device
    yield f"{device.name}, {device.processor}, {device.num_cores} cores{_governor(device)}, Linux {device.kernel}"
    runtime = f"{report.runtime} with {report.delegate}"
    yield f"{report.model} on {report.threads} threads, {runtime}; camera: {report.camera}"
    yield ""
    yield f"{'the network alone':<40}{'p50':>10}{'p95':>10}{'p99':>10}{'runs':>9}"
    first = next(iter(report.model_invoke.values()))
    for name, timing in report.model_invoke.items():
        times = "" if timing is first else f"   {timing.p50_ms / max(first.p50_ms, 1e-9):.2f} times the first"
        yield f"{_row(name, timing)}{times}"
    yield ""
    yield "stages of the loop"
    yield from (_row(name, timing) for name, timing in report.stages.items())
    yield ""
    sweep = ", ".join(f"{threads}: {timing.p50_ms:.2f} ms" for threads, timing in report.thread_sweep.items())
    yield f"threads: {sweep}; recommended: {report.recommended_threads}"
    seen = f"{counted(report.num_frames, 'frame')}, {counted(report.num_decisions, 'decision')}"
    yield f"{report.frames_per_s:g} frames/s over {seen}"
    if report.start_to_first_decision_s is not None:
        yield f"start to first decision {report.start_to_first_decision_s:g} s"
    yield f"memory {report.memory_mb:g} MB, at most {report.peak_memory_mb:g} MB"
    if report.energy_mj_per_frame is not None:
        yield f"energy {report.energy_mj_per_frame:g} mJ a frame ({report.energy_of})"
    if report.after.temperature_c is not None and report.before.temperature_c is not None:
        yield f"temperature {report.before.temperature_c:.0f} C before, {report.after.temperature_c:.0f} C after"
    if (report.before.load or 0) > _LOAD_NOISE:
        wanted = f"{report.before.load:g} of {device.num_cores} cores"
        yield f"other programs wanted {wanted} before it began: end them, and measure again"
    if report.was_slowed:
        yield "THROTTLED: see `sorter doctor`, these figures are those of a slowed-down device"


def _row(name: str, timing: Timing) -> str:
    return f"{name:<40}{timing.p50_ms:>7.2f} ms{timing.p95_ms:>7.2f} ms{timing.p99_ms:>7.2f} ms{timing.num_runs:>9}"


def comparison_table(comparisons: Sequence[Comparison]) -> Iterator[str]:
    """A line for each stage."""
    yield f"{'stage':<12}{'now/before':>12}{'noise':>10}   verdict"
    for one in comparisons:
        yield f"{one.stage:<12}{one.ratio:>12.2f}{one.noise:>9.0%}   {one.verdict.value}"


def _soak(
    config: Config, run: LoopRun, seconds: float, tell: Callable[[str], None], energy: EnergyMeter
) -> Iterator[SoakPoint]:
    """Go on for `seconds`, however often the source ends, and look at the machine every few of them."""
    points: list[SoakPoint] = []
    began_s = time.monotonic()

    def look() -> None:
        energy.sample()
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


def _governor(device: Device) -> str:
    return f", {device.governor}" if device.governor else ""


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 3)
