"""Precisions of one run side by side: conversion time, size, accuracy and latency, as ratios to float32.

    python -m tests.bench.conversion RUN [--pictures 48] [--rounds 40]

Each precision is converted as `sorter convert` does it, with fewer pictures: `--pictures` set the ranges of int8
and show, held out, how often it answers as float32 does. Latencies are medians of one thread, the precisions
taking turns, so that a busy machine slows all alike. Minutes for a network of 288 pixels on two quiet cores.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import click
import keras
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from convert.network import load_network
from convert.quantizing.correction import open_correction
from convert.source import ConvertSettings, Source, open_source
from convert.tflite.converter import Converted, to_tflite
from edge.bundle import Precision
from edge.preprocess import Image

BASE: Precision = "float32"


@dataclass(frozen=True, slots=True)
class Made:
    """A model, the seconds that it took, and an interpreter of one thread."""

    converted: Converted
    seconds: float
    interpreter: Interpreter

    def logits(self, image: Image) -> NDArray[np.float64]:
        """One answer, in real numbers."""
        taken = self.interpreter.get_input_details()[0]
        given = self.interpreter.get_output_details()[self.converted.outputs.logits]
        self.interpreter.set_tensor(taken["index"], image[None].astype(taken["dtype"]))
        self.interpreter.invoke()
        stored, (scale, zero_point) = self.interpreter.get_tensor(given["index"])[0], given["quantization"]
        return (stored.astype(np.float64) - zero_point) * (scale or 1.0)

    def invoke_ms(self) -> float:
        """How long the last picture takes once more."""
        began_s = time.perf_counter()
        self.interpreter.invoke()
        return (time.perf_counter() - began_s) * 1e3


def make(network: keras.Model, source: Source, precision: Precision, pictures: Sequence[Image], plain: bytes) -> Made:
    """Convert once; int8 with the correction after its float twin `plain`."""
    began_s = time.perf_counter()
    converted = to_tflite(network, source.spec, precision, pictures)
    if precision == "int8":
        converted = replace(converted, model=open_correction(plain, converted.model, pictures).of(converted.model))
    seconds = time.perf_counter() - began_s
    interpreter = Interpreter(model_content=converted.model, num_threads=1)
    interpreter.allocate_tensors()
    return Made(converted, seconds, interpreter)


def latencies_ms(made: Mapping[Precision, Made], rounds: int) -> Mapping[Precision, float]:
    """The median of `invoke` for each precision."""
    seen: dict[Precision, list[float]] = {precision: [] for precision in made}
    for _ in range(rounds):
        for precision, one in made.items():
            seen[precision].append(one.invoke_ms())
    return {precision: statistics.median(times_ms) for precision, times_ms in seen.items()}


@click.command()
@click.argument("run", type=click.Path(path_type=Path, exists=True))
@click.option("--pictures", "num_pictures", default=48, show_default=True, type=click.IntRange(1))
@click.option("--rounds", default=40, show_default=True, type=click.IntRange(1))
def main(run: Path, num_pictures: int, rounds: int) -> None:
    """Convert RUN to every precision and print a table."""
    source = open_source(run, ConvertSettings(num_representative=num_pictures))
    network = load_network(run, source.run, source.spec)
    pictures = [source.picture(row) for row in source.representative]
    held_out = source.held_out[:: max(1, len(source.held_out) // num_pictures)]
    made: dict[Precision, Made] = {}
    for precision in sorted(get_args(Precision), key=lambda name: name != BASE):
        plain = made[BASE].converted.model if made else b""
        made[precision] = make(network, source, precision, pictures, plain)
        click.echo(f"{precision}: converted in {made[precision].seconds:.1f} s", err=True)
    images = [source.picture(row) for row in held_out]
    answers = {precision: [int(one.logits(image).argmax()) for image in images] for precision, one in made.items()}
    latency_ms, base = latencies_ms(made, rounds), made[BASE]
    click.echo("precision  seconds  size MB  of float32  as float32 answers  median ms  of float32")
    for precision, one in made.items():
        size_mb, base_mb = (len(each.converted.model) / 1e6 for each in (one, base))
        same = f"{sum(map(int.__eq__, answers[precision], answers[BASE]))}/{len(images)}"
        median_ms, base_ms = latency_ms[precision], latency_ms[BASE]
        click.echo(
            f"{precision:<9}  {one.seconds:7.1f}  {size_mb:7.2f}  {size_mb / base_mb:10.2f}  {same:>18}  "
            f"{median_ms:9.2f}  {median_ms / base_ms:10.2f}"
        )


if __name__ == "__main__":
    main()
