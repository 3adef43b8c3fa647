"""The benchmark on the shipped model and rendered items, short."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edge.benchmark.device import Reading
from edge.benchmark.report import Report, SoakPoint, chart, load_report, table
from edge.commands.benchmark import benchmark
from edge.errors import CheckFailedError, InvalidDataError, MissingInputError


def run(*arguments: str) -> Result:
    """`sorter benchmark`, half a second of it."""
    return CliRunner().invoke(benchmark, ["--seconds", "1.5", "--threads", "1", "-q", *arguments])


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One report on disk."""
    path = tmp_path_factory.mktemp("benchmark") / "report.json"
    answer = run("--json", "--soak", "2s")
    assert answer.exit_code == 0, answer.output
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
    assert soak[0].at_s < 1
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


def test_a_gate_that_no_device_passes() -> None:
    answer = run("--max-p95", "0.001")
    assert isinstance(answer.exception, CheckFailedError)


def test_an_earlier_report_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text('{"schema": 1}', encoding="utf-8")
    assert isinstance(run("--compare", str(tmp_path / "other.json")).exception, InvalidDataError)
    assert isinstance(run("--compare", str(tmp_path / "none.json")).exception, MissingInputError)


@pytest.mark.parametrize("soak", ["20 minutes", "-3", "m"])
def test_a_duration_that_is_none(soak: str) -> None:
    assert "such as 20m" in run("--soak", soak).output


def test_a_soak_draws_latency_and_temperature(measured: Path) -> None:
    reading = Reading(temperature_c=55.0, clock_mhz=1800.0, throttled=0).model_dump()
    points = tuple(SoakPoint(at_s=60.0 * minute, p50_ms=8.0, p95_ms=9.0, **reading) for minute in range(4))
    report = Report.model_validate({**load_report(measured).model_dump(by_alias=True), "soak": points})
    assert chart(report).count("<polyline") == 3
    assert "<rect" in chart(load_report(measured))
