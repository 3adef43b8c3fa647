"""The benchmark on the shipped model and rendered items, short."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edge.benchmark.device import Reading
from edge.benchmark.picture import chart
from edge.benchmark.report import Report, SoakPoint, differences, load_report, table
from edge.commands.benchmark import benchmark
from edge.errors import CheckFailedError, InvalidDataError, MissingInputError
from tests.edge.accelerator import build_driver, compiled_bundle


def run(*arguments: str) -> Result:
    """`sorter benchmark`, a second and a half of it."""
    return CliRunner().invoke(benchmark, ["--seconds", "1.5", "--threads", "1", "-q", *arguments])


@pytest.fixture(scope="module")
def answer() -> Result:
    """One whole benchmark, at a gate that no device passes."""
    return run("--json", "--soak", "2s", "--max-p95", "0.001")


@pytest.fixture(scope="module")
def measured(answer: Result, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its report on disk."""
    path = tmp_path_factory.mktemp("benchmark") / "report.json"
    path.write_text(answer.stdout, encoding="utf-8")
    return path


def test_every_part_is_measured(measured: Path) -> None:
    report = load_report(measured)
    assert {"capture", "presence"} <= set(report.stages)
    assert report.recommended_threads == 1
    (alone,) = report.model_invoke.values()
    assert alone.num_runs >= 50
    assert 0 < alone.p50_ms <= alone.p95_ms <= alone.p99_ms
    assert report.num_frames >= report.stages["presence"].num_runs > 0
    assert report.frames_per_s > 0
    assert report.start_to_first_decision_s is not None
    assert report.peak_memory_mb >= report.memory_mb > 30


def test_the_soak_has_points_in_order(measured: Path) -> None:
    soak = load_report(measured).soak
    assert [point.at_s for point in soak] == sorted(point.at_s for point in soak)


def test_the_table_names_every_stage(measured: Path) -> None:
    report = load_report(measured)
    text = "\n".join(table(report))
    assert all(stage in text for stage in report.stages)
    assert "recommended: 1" in text


def test_a_report_against_itself_is_no_regression_but_one_that_was_twice_as_fast_is(
    measured: Path, tmp_path: Path
) -> None:
    before = json.loads(measured.read_text())
    for timing in [*before["stages"].values(), *before["model_invoke"].values()]:
        for name, value in timing.items():
            timing[name] = (
                [one / 50 for one in value] if isinstance(value, list) else value if name == "num_runs" else value / 50
            )
    earlier = tmp_path / "earlier.json"
    earlier.write_text(json.dumps(before), encoding="utf-8")
    answer = run("--compare", str(earlier))
    assert isinstance(answer.exception, CheckFailedError)
    assert "slower than before beyond the noise: invoke" in str(answer.exception)


def test_what_else_changed_is_told_beside_the_verdict(measured: Path) -> None:
    now = load_report(measured)
    assert list(differences(now, now)) == []
    device = now.device.model_copy(update={"processor": "Cortex-A72"})
    slowed = now.before.model_copy(update={"throttled": 0x4})
    idle = now.before.model_copy(update={"load": 0.2})
    now = now.model_copy(update={"before": now.before.model_copy(update={"load": 9.5})})
    before = now.model_copy(update={"device": device, "threads": 7, "before": idle, "after": slowed})
    assert list(differences(before, now)) == [
        f"threads: {now.threads}, it was 7",
        f"processor: {now.device.processor}, it was Cortex-A72",
        "load: other programs wanted 9.5 cores before it began, it was 0.2",
        "clock: the earlier figures are those of a slowed-down device",
    ]
    assert any("wanted 9.5 of" in line for line in table(now))
    assert not any("wanted" in line for line in table(before))


def test_a_gate_that_no_device_passes(answer: Result) -> None:
    assert isinstance(answer.exception, CheckFailedError)


def test_an_earlier_report_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text('{"schema": 1}', encoding="utf-8")
    assert isinstance(run("--compare", str(tmp_path / "other.json")).exception, InvalidDataError)
    assert isinstance(run("--compare", str(tmp_path / "none.json")).exception, MissingInputError)


@pytest.mark.parametrize(
    ("text", "told"), [("{", "the file: Invalid JSON"), ('{"schema": 1, "threads": "two"}', r"\w+: (Field|Input)")]
)
def test_what_is_no_report_is_told_with_its_first_mistake(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "report.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidDataError, match=rf"is not what this `sorter benchmark --json` prints: {told}"):
        load_report(path)


@pytest.mark.parametrize("soak", ["20 minutes", "-3", "m"])
def test_a_duration_that_is_none(soak: str) -> None:
    assert "such as 20m" in run("--soak", soak).output


def test_a_soak_draws_latency_and_temperature(measured: Path) -> None:
    reading = Reading(temperature_c=55.0, clock_mhz=1800.0, throttled=0).model_dump()
    points = tuple(SoakPoint(at_s=60.0 * minute, p50_ms=8.0, p95_ms=9.0, **reading) for minute in range(4))
    report = Report.model_validate({**load_report(measured).model_dump(by_alias=True), "soak": points})
    drawn = chart(report)
    assert drawn.count("<polyline") == 5
    assert all(title in drawn for title in ("one tick", "Temperature", "Clock", "Slowed down"))
    quiet = tuple(point.model_copy(update=dict.fromkeys(reading)) for point in points)
    assert chart(report.model_copy(update={"soak": quiet})).count("<polyline") == 2


def test_without_a_soak_the_stages_are_drawn(measured: Path) -> None:
    drawn = chart(load_report(measured).model_copy(update={"soak": ()}))
    assert all(stage in drawn for stage in load_report(measured).stages)


@pytest.mark.parametrize(
    ("before", "after", "was_slowed"),
    [(0x0, 0x0, False), (0x0, 0x4, True), (0x0, 0x40000, True), (0x40000, 0x40000, False), (0x0, 0x10001, False)],
)
def test_throttling_is_told_when_it_happened_now(measured: Path, before: int, after: int, *, was_slowed: bool) -> None:
    readings = {"before": before, "after": after}
    report = load_report(measured)
    changed = {name: report.before.model_copy(update={"throttled": flags}) for name, flags in readings.items()}
    lines = list(table(report.model_copy(update=changed)))
    assert any("THROTTLED" in line for line in lines) == was_slowed


def test_the_edgetpu_is_held_against_the_processor(tmp_path: Path) -> None:
    bundle = compiled_bundle(tmp_path / "bundle")
    answer = in_a_process(bundle, LD_LIBRARY_PATH=str(build_driver(tmp_path).parent), VANISHES_AFTER="1000000000")
    on_cpu, on_edgetpu = Report.model_validate_json(answer.stdout).model_invoke.items()
    assert on_cpu[0].endswith("int8, CPU")
    assert on_edgetpu[0].endswith("int8, EdgeTPU")
    assert on_edgetpu[1].p50_ms < on_cpu[1].p50_ms / 2  # the stub does nothing at all


def test_without_an_edgetpu_the_processor_is_timed_alone(tmp_path: Path) -> None:
    answer = in_a_process(compiled_bundle(tmp_path / "bundle"))
    assert len(Report.model_validate_json(answer.stdout).model_invoke) == 1
    assert "no EdgeTPU" in answer.stderr


def in_a_process(bundle: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """The benchmark where the dynamic linker looks for the driver anew."""
    command = [sys.executable, "-c", "from edge.cli import main; main()", "benchmark", "--bundle", str(bundle)]
    return subprocess.run(
        [*command, "--seconds", "0.5", "--threads", "1", "--json"],
        capture_output=True, text=True, check=True, timeout=120, env={**os.environ, **variables},
    )  # fmt: skip
