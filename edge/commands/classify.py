"""`sorter classify`: what the model says about single pictures."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge.commands.options import bundle_option, json_option, path_argument, verbosity_options
from edge.errors import SorterError

if TYPE_CHECKING:
    from edge.classifiers.base import Classifier
    from edge.messages import Prediction

log = logging.getLogger(__name__)

NUM_SHOWN = 3


@click.command(short_help="Say what the model makes of pictures.")
@path_argument("pictures", many=True)
@bundle_option
@json_option
@verbosity_options
def classify(pictures: tuple[Path, ...], bundle: Path | None, *, as_json: bool) -> None:
    """Classify PICTURES, each as a whole, and print the likeliest classes.

    A picture that cannot be read is reported on stderr and the others go on; the exit code is then
    that of the first failure.
    """
    from edge.bundle import DEFAULT_BUNDLE, load_bundle
    from edge.classifiers.litert import LiteRTClassifier

    loaded = load_bundle(bundle or DEFAULT_BUNDLE)
    classifier = LiteRTClassifier(loaded)
    failure: SorterError | None = None
    for path in pictures:
        try:
            prediction = _classify(path, classifier)
        except SorterError as error:
            click.echo(f"error: {error}", err=True)
            log.debug("%s", path, exc_info=True)
            if as_json:
                click.echo(_to_line({"schema": 1, "picture": str(path), "error": str(error)}))
            failure = failure or error
            continue
        click.echo(
            _as_json(path, prediction, classifier, loaded.short_name)
            if as_json
            else _as_text(path, prediction, classifier)
        )
    if failure is not None:
        raise click.exceptions.Exit(failure.exit_code)


def _classify(path: Path, classifier: Classifier) -> Prediction:
    from edge.preprocess import load_picture, to_input

    return classifier.classify(to_input(load_picture(path), classifier.input_spec))


def _ranked(prediction: Prediction, classifier: Classifier) -> list[tuple[str, float]]:
    pairs = zip(classifier.labels, map(float, prediction.scores), strict=True)
    return sorted(pairs, key=lambda pair: -pair[1])


def _as_text(path: Path, prediction: Prediction, classifier: Classifier) -> str:
    best = _ranked(prediction, classifier)[:NUM_SHOWN]
    return f"{path}: " + ", ".join(f"{label} {score:.1%}" for label, score in best)


def _as_json(path: Path, prediction: Prediction, classifier: Classifier, model: str) -> str:
    scores = {label: round(score, 4) for label, score in _ranked(prediction, classifier)}
    label = next(iter(scores))
    answer: dict[str, object] = {
        "schema": 1,
        "picture": str(path),
        "label": label,
        "confidence": scores[label],
        "scores": scores,
        "model": model,
    }
    return _to_line(answer)


def _to_line(answer: dict[str, object]) -> str:
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
