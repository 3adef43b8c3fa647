"""`sorter benchmark`: how fast this device is, and whether it stays so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge.commands.options import (
    FiniteRange,
    bundle_option,
    config_option,
    json_option,
    set_option,
    verbosity,
    verbosity_options,
)
from edge.errors import CheckFailedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.benchmark.report import Report
    from edge.benchmark.timing import Comparison

_UNITS_S = {"s": 1, "m": 60, "h": 3600}


class Duration(click.ParamType):  # type: ignore[type-arg] # generic only since click 8.4
    """Seconds, or a number with s, m or h behind it."""

    name = "duration"

    def convert(self, value: object, parameter: click.Parameter | None, context: click.Context | None) -> float:
        """As seconds."""
        if isinstance(value, float):
            return value
        match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", str(value))
        if match is None:
            self.fail(f"{value!r}: expected seconds, or a number with s, m or h, such as 20m", parameter, context)
        return float(match[1]) * _UNITS_S[match[2] or "s"]


@click.command(short_help="Measure each stage of the loop on this device.")
@config_option
@bundle_option
@set_option
@click.option("--seconds", type=FiniteRange(0.5, 3600), default=10.0, show_default=True, help="How long the loop runs.")
@click.option(
    "--threads",
    "sweep",
    multiple=True,
    type=click.IntRange(1, 16),
    help="Thread counts to try; repeatable. By default 1 to the number of cores, at most 4.",
)
@click.option(
    "--against",
    "others",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="BUNDLE",
    help="Also time this bundle's network, such as the float one; repeatable.",
)
@click.option(
    "--soak",
    "soak_s",
    type=Duration(),
    default=0.0,
    help="Go on for so long (20m, 2h) and watch latency, temperature, clock and throttling.",
)
@click.option("--chart", "chart_path", type=click.Path(path_type=Path), metavar="FILE.svg", help="Draw the result.")
@click.option(
    "--compare",
    "earlier",
    type=click.Path(path_type=Path),
    metavar="OLD.json",
    help="Hold the result against an earlier --json; exit code 1 when a stage is slower beyond the noise.",
)
@click.option(
    "--max-p95",
    "max_p95_ms",
    type=FiniteRange(0, min_open=True),
    metavar="MS",
    help="Exit code 1 when 5 % of the ticks take longer.",
)
@json_option
@verbosity_options
def benchmark(
    config_path: Path | None,
    bundle: Path | None,
    overrides: tuple[str, ...],
    seconds: float,
    sweep: tuple[int, ...],
    others: tuple[Path, ...],
    soak_s: float,
    chart_path: Path | None,
    earlier: Path | None,
    max_p95_ms: float | None,
    *,
    as_json: bool,
) -> None:
    """Measure each stage of the loop on this device with its camera and model, and the network alone.

    Without --config it uses the shipped model and rendered items, as fast as the device can. A bundle with a model
    compiled for the EdgeTPU is also timed there, where one is plugged in.
    """
    from edge.benchmark.device import Device
    from edge.benchmark.picture import chart
    from edge.benchmark.report import benchmark as measure
    from edge.benchmark.report import compare_reports, comparison_table, differences, load_report, table
    from edge.config import find_config, load_config, with_choices

    settings = with_choices(load_config(find_config(config_path), overrides), bundle, None)
    before = None if earlier is None else load_report(earlier)
    threads = sweep or tuple(range(1, min(4, Device.here().num_cores) + 1))
    report = measure(settings, seconds=seconds, sweep=threads, others=others, soak_s=soak_s, tell=_say)
    comparisons = [] if before is None else compare_reports(before, report)
    click.echo(report.to_json() if as_json else "\n".join(table(report)))
    if before is not None:
        told = [*comparison_table(comparisons), *(f"not the same {line}" for line in differences(before, report))]
        click.echo("\n" + "\n".join(told), err=as_json)
    if chart_path is not None:
        _write(chart_path, chart(report))
    _judge(report, comparisons, max_p95_ms)


def _say(what: str) -> None:
    if verbosity() >= 0:
        click.echo(f"measuring {what} ...", err=True)


def _write(path: Path, text: str) -> None:
    from edge.files.whole_file import whole_file

    with whole_file(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


def _judge(report: Report, comparisons: Sequence[Comparison], max_p95_ms: float | None) -> None:
    from edge.benchmark.measure import WHOLE
    from edge.benchmark.timing import Verdict

    whole = report.stages.get(WHOLE)
    if max_p95_ms is not None and whole is None:
        raise CheckFailedError("nothing was classified in this time, so there is no p95: run for more --seconds")
    if max_p95_ms is not None and whole is not None and whole.p95_ms > max_p95_ms:
        raise CheckFailedError(
            f"5 % of the ticks take longer than {whole.p95_ms:.1f} ms, {max_p95_ms:g} ms were allowed"
        )
    slower = [f"{one.stage} ({one.ratio:.2f} times)" for one in comparisons if one.verdict is Verdict.SLOWER]
    if slower:
        raise CheckFailedError(f"slower than before beyond the noise: {', '.join(slower)}")
