"""Does MediaPipe load a `--single-output` file, and answer as the bundle does on real pictures?

    python3 -m venv /tmp/mediapipe && /tmp/mediapipe/bin/pip install mediapipe
    python -m tests.bench.mediapipe_agreement PLAIN.tflite BUNDLE PICTURES --python /tmp/mediapipe/bin/python

Each picture is given twice: resized as the device does it, where only the second quantization of the scores
may differ, and as it is, where MediaPipe's own resizing comes in.
"""

from __future__ import annotations

import json
import random
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import click
import cv2
import numpy as np
from numpy.typing import NDArray

from edge.bundle import load_bundle
from edge.classifiers.litert import LiteRTClassifier
from edge.preprocess import load_picture, to_input

CHILD = Path(__file__).with_name("classify_with_mediapipe.py")


def mediapipe_scores(python: Path, model: Path, pictures: Sequence[Path], labels: Sequence[str]) -> NDArray[np.float64]:
    """What MediaPipe says of each picture, (N, C) in the order of `labels`."""
    command = [str(python), str(CHILD), str(model)]
    lines = "".join(f"{picture}\n" for picture in pictures)
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise click.ClickException(f"MediaPipe failed: {done.stderr.strip().splitlines()[-1]}")
    return np.array([[json.loads(line)[label] for label in labels] for line in done.stdout.splitlines()])


def tell(name: str, found: NDArray[np.float64], wanted: NDArray[np.float64]) -> None:
    same = int((found.argmax(axis=1) == wanted.argmax(axis=1)).sum())
    distance = np.abs(found - wanted).sum(axis=1).mean() / 2
    click.echo(f"{name:<28} same answer {same}/{len(found)} ({same / len(found):.2%}), score distance {distance:.4f}")


@click.command()
@click.argument("plain", type=click.Path(path_type=Path, exists=True))
@click.argument("bundle", type=click.Path(path_type=Path, exists=True))
@click.argument("pictures", type=click.Path(path_type=Path, exists=True))
@click.option("--python", type=click.Path(path_type=Path, exists=True), required=True, help="Where mediapipe is.")
@click.option("--count", default=100, show_default=True, type=click.IntRange(1))
def main(plain: Path, bundle: Path, pictures: Path, python: Path, count: int) -> None:
    """Compare PLAIN, run by MediaPipe, with BUNDLE, run by the device's classifier, on some of PICTURES."""
    paths = sorted(path for path in pictures.rglob("*") if path.suffix.lower() in {".jpg", ".png"})
    chosen = random.Random(0).sample(paths, min(count, len(paths)))  # noqa: S311  (a choice of pictures)
    classifier = LiteRTClassifier(load_bundle(bundle))
    with tempfile.TemporaryDirectory() as folder:
        wanted, resized = [], []
        for number, path in enumerate(chosen):
            image = to_input(load_picture(path), classifier.input_spec)
            resized.append(Path(folder) / f"{number}.png")
            cv2.imwrite(str(resized[-1]), image[..., ::-1])
            wanted.append(classifier.classify(image).scores)
        scores = np.array(wanted, np.float64)
        tell("resized by the device:", mediapipe_scores(python, plain, resized, classifier.labels), scores)
        tell("resized by MediaPipe:", mediapipe_scores(python, plain, chosen, classifier.labels), scores)


if __name__ == "__main__":
    main()
