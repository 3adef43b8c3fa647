"""The benchmark as a picture: the stages as bars, or what the soak saw over time."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from edge.benchmark.report import Report
from edge.reports.charts import Bar, Line, bar_chart, line_chart

_WIDTH_PX, _HEIGHT_PX = 640, 360


def chart(report: Report) -> str:
    """SVG: the stages as bars from nothing to p50 with whiskers to p95; of a soak, a chart for all that tells."""
    if not report.soak:
        bars = [Bar(name, timing.p50_ms, timing.p50_ms, timing.p95_ms, "ms") for name, timing in report.stages.items()]
        return bar_chart(bars, title=f"{report.model}: median, and up to p95", x_label="milliseconds")
    charts = list(_soak_charts(report))
    placed = [re.sub("^<svg ", f'<svg y="{_HEIGHT_PX * row}" ', one) for row, one in enumerate(charts)]
    height = _HEIGHT_PX * len(charts)
    head = f'viewBox="0 0 {_WIDTH_PX} {height}" width="{_WIDTH_PX}" height="{height}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {head}>{"".join(placed)}</svg>'


def _soak_charts(report: Report) -> Iterator[str]:
    """Latency; then temperature, clock and throttling as far as the machine tells of them."""
    points = report.soak
    minutes = [point.at_s / 60 for point in points]
    latency = [
        Line("p50", minutes, [_number(point.p50_ms) for point in points]),
        Line("p95", minutes, [_number(point.p95_ms) for point in points]),
    ]
    yield line_chart(latency, title=f"{report.model}: one tick", x_label="minutes", y_label="milliseconds")
    told = (
        ("Temperature of the processor", "C", [_number(point.temperature_c) for point in points]),
        ("Clock of the processor", "MHz", [_number(point.clock_mhz) for point in points]),
        (
            "Slowed down by the firmware (0 no, 1 yes)",
            "",
            [math.nan if point.throttled is None else float(point.is_slowed) for point in points],
        ),
    )
    for title, unit, values in told:
        if not all(math.isnan(value) for value in values):
            yield line_chart([Line(title, minutes, values)], title=title, x_label="minutes", y_label=unit)


def _number(value: float | None) -> float:
    return math.nan if value is None else value
