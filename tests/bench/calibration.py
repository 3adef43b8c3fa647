"""Are scores honest after temperature scaling, and do thresholds keep what they promise on other pictures?

    python -m tests.bench.calibration DATA [--precision 0.97] [--splits 200] [--json]

DATA is a data folder, such as TrashNet; of one with splits the val part is used. The pictures are divided by
object into halves, again and again: temperature and thresholds are fitted on one, as `sorter calibrate` does,
and judged on the other.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from calibration.scores.pictures import Measured, measure
from calibration.scores.temperature import best_temperature, judge_temperature
from calibration.scores.thresholds import accepted, fit_thresholds, folds_of, precision_wish, tally
from edge.bundle import DEFAULT_BUNDLE, load_bundle
from edge.classifiers.litert import LiteRTClassifier
from edge.confidence import calibration_error
from edge.data_folder import scan


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--bundle", type=Path, default=DEFAULT_BUNDLE)
    parser.add_argument("--precision", type=float, default=0.97)
    parser.add_argument("--splits", type=int, default=200)
    parser.add_argument("--json", action="store_true", dest="as_json")
    options = parser.parse_args()
    bundle = load_bundle(options.bundle)
    temperature = bundle.manifest.temperature
    measured = measure(scan(options.data), LiteRTClassifier(bundle, 1), temperature)
    whole = judge_temperature(measured.logits, measured.truth, folds_of(measured.objects), temperature)
    rng = np.random.default_rng(0)
    rounds = [_round(measured, options.precision, rng) for _ in range(options.splits)]
    report = {
        "num_pictures": len(measured.truth),
        "temperature": whole.value,
        "ece_before": whole.ece_before,
        "ece_after": whole.ece_after,
        "ece_of_honest_scores": whole.ece_chance,
        **{name: float(np.mean([each[name] for each in rounds])) for name in rounds[0]},
    }
    print(
        json.dumps(report) if options.as_json else "\n".join(f"{name:28} {value:.4f}" for name, value in report.items())
    )


def _round(measured: Measured, precision: float, rng: np.random.Generator) -> dict[str, float]:
    first = rng.random(measured.objects.max() + 1)[measured.objects] < 0.5
    pictures = measured.at(best_temperature(measured.logits[first], measured.truth[first], before=1.0))
    ours, others = pictures.only(first), pictures.only(~first)
    fitted = fit_thresholds(ours, precision_wish(precision), folds_of(ours.objects))
    is_accepted = accepted(others, fitted.min_confidence)
    found = tally(others, is_accepted)
    low, high = fitted.overall.interval
    by_class = [
        _is_within(tally(others, is_accepted, others.answers == index).precision, stated.interval)
        for index, stated in enumerate(fitted.of_class)
    ]
    return {
        "half_ece": calibration_error(others.confidences, others.answers == others.truth),
        "half_precision": found.precision or 0.0,
        "half_stated_precision": fitted.overall.precision or 0.0,
        "half_stated_low": low,
        "half_stated_high": high,
        "half_is_within_stated": float(_is_within(found.precision, (low, high))),
        "half_classes_within_stated": float(np.mean(by_class)),
        "half_accepted": found.coverage,
    }


def _is_within(precision: float | None, interval: tuple[float, float]) -> bool:
    return precision is None or interval[0] - 1e-9 <= precision <= interval[1] + 1e-9


if __name__ == "__main__":
    main()
