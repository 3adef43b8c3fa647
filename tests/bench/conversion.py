"""Precisions of one run side by side: conversion time, size, accuracy and latency, as ratios to float32.

    python tests/bench/conversion.py RUN [--rounds 40]

Latencies are medians of one thread, the precisions taking turns, so that a busy machine slows all alike.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

import click

from convert.export import draft_bundle
from convert.golden import golden_pictures
from convert.source import ConvertSettings
from convert.writer import write_bundle
from edge.bundle import MODEL, Bundle, Precision
from edge.classifiers.litert import LiteRTClassifier

BASE: Precision = "float32"


def latencies_ms(bundles: Mapping[Precision, Bundle], rounds: int) -> Mapping[Precision, float]:
    """The median of `invoke` for each precision."""
    classifiers = {precision: LiteRTClassifier(bundle, num_threads=1) for precision, bundle in bundles.items()}
    picture = next(iter(golden_pictures(classifiers[BASE].input_spec).values()))
    seen: dict[Precision, list[float]] = {precision: [] for precision in classifiers}
    for _ in range(rounds):
        for precision, classifier in classifiers.items():
            seen[precision].append(classifier.infer(picture)[2] * 1e3)
    return {precision: statistics.median(times_ms) for precision, times_ms in seen.items()}


@click.command()
@click.argument("run", type=click.Path(path_type=Path, exists=True))
@click.option("--rounds", default=40, show_default=True, type=click.IntRange(1))
def main(run: Path, rounds: int) -> None:
    """Convert RUN to every precision and print a table."""
    bundles: dict[Precision, Bundle] = {}
    seconds: dict[Precision, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for precision in get_args(Precision):
            began_s = time.perf_counter()
            draft = draft_bundle(run, ConvertSettings(precision=precision))
            seconds[precision] = time.perf_counter() - began_s
            out = Path(folder) / precision
            bundles[precision] = write_bundle(out, draft.manifest, draft.files, should_replace=False)
        latency_ms = latencies_ms(bundles, rounds)
        click.echo("precision  seconds  size MB  of float32  accuracy  agreement  median ms  of float32")
        for precision, bundle in bundles.items():
            size, base = ((made.path / MODEL).stat().st_size for made in (bundle, bundles[BASE]))
            metrics = bundle.manifest.metrics
            click.echo(
                f"{precision:<9}  {seconds[precision]:7.1f}  {size / 1e6:7.2f}  {size / base:10.2f}  "
                f"{metrics['accuracy']:8.2%}  {metrics['agreement']:9.2%}  {latency_ms[precision]:9.2f}  "
                f"{latency_ms[precision] / latency_ms[BASE]:10.2f}"
            )


if __name__ == "__main__":
    main()
