"""Pictures of real cameras as a bin would see them: through presence and crop, beside the whole pictures.

python -m tests.bench.cameras --bins ../shared/data/bins [--bundle BUNDLE] [--boxes FOLDER] [--only SET ...]

Each picture lies still for half a second before a detector that knows the empty scene; what it finds is cropped and
classified, as the loop does. The empty scene is a picture of it where there is one, the median of a set whose items
lie in other places from picture to picture, or a smooth surface fitted to the rim where the ground is plain; sets
that allow none of these are classified whole only. `--boxes` keeps pictures of what was found, to look at;
`--only duenng_ymd` is eight pictures, to see that it runs.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edge.bundle import DEFAULT_BUNDLE, load_bundle
from edge.cameras.replay import pictures_below
from edge.classifiers.base import Classifier
from edge.classifiers.litert import LiteRTClassifier
from edge.confidence import wilson_interval
from edge.messages import Box, Frame, Image, Phase
from edge.preprocess import load_picture, to_input, turned
from edge.presence import PresenceDetector

RATE_HZ = 12.0
# Long enough to settle, and for what reaches in from a rim to be waited out.
REST_S = 1.5
# Width of the rim that a plain ground is fitted to, as a share of the picture.
RIM = 0.08

Scenes = Callable[[Sequence[Image], Path], Sequence[Image]]


def pictured(name: str) -> Scenes:
    """One picture of the empty scene for all."""
    return lambda images, bins: [load_picture(bins / "empty" / name)] * len(images)


def median(images: Sequence[Image], _bins: Path) -> Sequence[Image]:
    """What most pictures show at each place."""
    return [np.median(np.stack(images), axis=0).astype(np.uint8)] * len(images)


def fitted(images: Sequence[Image], _bins: Path) -> Sequence[Image]:
    """For each picture a smooth ground, as its own rim shows it."""
    return [_ground(image) for image in images]


def _ground(image: Image) -> Image:
    """A quadratic surface for each channel through the rim of a picture, outliers left out."""
    small = cv2.resize(image, (96, 96), interpolation=cv2.INTER_AREA).reshape(-1, 3).astype(np.float64)
    y, x = (plane.reshape(-1) for plane in np.meshgrid(*[np.linspace(-1, 1, 96)] * 2, indexing="ij"))
    basis = np.stack([np.ones_like(x), x, y, x * y, x * x, y * y], axis=1)
    is_rim = np.maximum(np.abs(x), np.abs(y)) > 1 - 2 * RIM
    kept = is_rim
    for _ in range(4):
        surface = basis @ np.linalg.lstsq(basis[kept], small[kept], rcond=None)[0]
        error = np.abs(small - surface).max(axis=1)
        kept = is_rim & (error <= max(6.0, 2.5 * float(np.median(error[is_rim]))))
    plane = np.clip(surface, 0, 255).astype(np.float32).reshape(96, 96, 3)
    return cv2.resize(plane, image.shape[1::-1], interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8)


SETS: dict[str, Scenes | None] = {
    "duenng_ts10": pictured("derived_med_ts10.jpg"),
    "duenng_wadaba": pictured("derived_bg_wadaba.jpg"),
    "duenng_nms": fitted,
    "duenng_lightbox": median,
    "duenng_dmy": None,
    "duenng_ymd": None,
    "duenng_cards": None,
    "duenng_table": None,
    "aquatrash_crops": None,
}


@dataclass(frozen=True, slots=True)
class Counts:
    """Of `num` pictures: right when whole; settled, and of these right when cropped; said to be several."""

    num: int
    whole: int
    found: int
    cropped: int
    many: int


def found_in(image: Image, empty: Image) -> tuple[Phase, Box | None]:
    """What a detector that knows the empty scene makes of a picture at rest."""
    detector = PresenceDetector(background=empty)
    chance = np.random.default_rng(0)
    presence = detector.update(Frame(0, 0.0, empty))
    for index in range(1, round(REST_S * RATE_HZ) + 1):
        noise = chance.integers(-1, 2, image.shape, np.int16)
        noisy = np.clip(image + noise, 0, 255).astype(np.uint8)
        presence = detector.update(Frame(index, index / RATE_HZ, noisy))
        if presence.phase in (Phase.SETTLED, Phase.MANY):
            break
    return presence.phase, presence.box


def label_of(classifier: Classifier, image: Image, box: Box | None) -> str:
    """The winner over the picture, or over the box with its margin, and its quarter turn."""
    picture = to_input(image, classifier.input_spec, box)
    scores = sum(np.log(np.maximum(classifier.classify(one).scores, 1e-4)) for one in (picture, turned(picture, 1)))
    return classifier.labels[int(np.argmax(scores))]


def measure(classifier: Classifier, folder: Path, scenes: Scenes | None, bins: Path, boxes: Path | None) -> Counts:
    """One set, whole and cropped."""
    paths = pictures_below(folder)
    images = [load_picture(path) for path in paths]
    truth = [path.parent.name for path in paths]
    whole = sum(label_of(classifier, image, None) == label for image, label in zip(images, truth, strict=True))
    found = cropped = many = 0
    empties = scenes(images, bins) if scenes is not None else []
    for path, image, label, empty in zip(paths, images, truth, empties, strict=False):
        phase, box = found_in(image, empty)
        many += phase is Phase.MANY
        if phase is Phase.SETTLED and box is not None:
            found += 1
            cropped += label_of(classifier, image, box) == label
        if boxes is not None:
            _keep(boxes / f"{folder.name}_{path.stem}.jpg", image, phase, box)
    return Counts(len(images), whole, found, cropped, many)


def _keep(path: Path, image: Image, phase: Phase, box: Box | None) -> None:
    drawn = np.ascontiguousarray(image[..., ::-1])
    if box is not None:
        cv2.rectangle(drawn, (box.x, box.y), (box.x + box.width, box.y + box.height), (0, 0, 255), 2)
    cv2.putText(drawn, phase.value, (8, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (0, 255, 0), 2)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), drawn)


def share(part: int, whole: int) -> str:
    """A share with its 95 % interval."""
    if whole == 0:
        return "-"
    low, high = wilson_interval(part, whole)
    return f"{part / whole:.0%} ({low:.0%} to {high:.0%})"


def main() -> None:
    """Print a line for each set that is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bins", type=Path, required=True)
    parser.add_argument("--bundle", type=Path, default=DEFAULT_BUNDLE)
    parser.add_argument("--boxes", type=Path)
    parser.add_argument("--only", action="append", help="A set by name; repeatable. All by default.")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    classifier = LiteRTClassifier(load_bundle(arguments.bundle), 1)
    print(f"{'set':18}{'pictures':>9}  {'whole, right':22}{'one item found':>15}{'several':>9}  {'of these, right':22}")
    for name, scenes in SETS.items():
        if not (arguments.bins / name).is_dir() or (arguments.only and name not in arguments.only):
            continue
        counts = measure(classifier, arguments.bins / name, scenes, arguments.bins, arguments.boxes)
        cropped = share(counts.cropped, counts.found)
        seen = f"{counts.found:>15}{counts.many:>9}" if scenes is not None else f"{'-':>15}{'-':>9}"
        print(f"{name:18}{counts.num:>9}  {share(counts.whole, counts.num):22}{seen}  {cropped:22}", flush=True)


if __name__ == "__main__":
    main()
