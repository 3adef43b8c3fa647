"""What `/metrics` says beyond what Prometheus itself checks."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from edge.host.kernel import hottest_c
from edge.web.metrics import MetricsPart
from edge.web.workers import Workers
from tests.edge.web.standing import StandingBin


@pytest.mark.parametrize(
    ("zones", "said"),
    [
        ((40000, 61500, 52000), ["sorter_temperature_celsius 61.5"]),
        ((), []),
        (("", 48000), ["sorter_temperature_celsius 48"]),
    ],
)
def test_the_temperature_is_that_of_the_hottest_zone(
    standing: StandingBin, tmp_path: Path, zones: tuple[int | str, ...], said: list[str]
) -> None:
    for number, millidegrees in enumerate(zones):
        zone = tmp_path / f"sys/class/thermal/thermal_zone{number}"
        zone.mkdir(parents=True)
        (zone / "temp").write_text(f"{millidegrees}\n", encoding="ascii")
    assert standing.window.work is not None
    with closing(Workers()) as workers:
        part = MetricsPart(standing.window, standing.window.work, lambda: 0, workers, partial(hottest_c, tmp_path))
        lines = part.text().splitlines()
    assert [line for line in lines if line.startswith("sorter_temperature")] == said
