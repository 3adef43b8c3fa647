"""What teaching is worth: accuracy by the number of taught examples, on other objects, with 95 % intervals.

python -m tests.bench.teaching_sites --trashnet ../shared/data/trashnet --out SITES
python -m tests.bench.teaching --data ../shared/data --sites SITES [--bundle BUNDLE] [--draws 5] [--cache FOLDER]
    [--shots 10 --shots 20] [--only NAME]

Three parts. Sites: the simulated ones with all six classes, and retail products that the model never had, each taught
with 1, 5, 10 and 20 examples of every class and judged on objects of other groups. Cameras: each real camera holds one
class, so the taught class is judged there and all other classes on every other picture there is. TrashNet: its `val`
accuracy after each of these lessons, none of which has to do with it. --cache keeps what the network said.
"""

from __future__ import annotations

import argparse
import csv
import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibration.teaching.examples import Example, to_jpeg
from calibration.teaching.lessons import Lesson, learn
from calibration.teaching.showing import example_of, in_light, open_network
from edge.bundle import DEFAULT_BUNDLE, Bundle, load_bundle
from edge.classifiers.base import Classifier
from edge.classifiers.taught import TaughtClassifier, widened
from edge.confidence import wilson_interval
from edge.messages import Image
from edge.preprocess import load_picture, to_input, turned

SHOTS = (1, 5, 10, 20)
Groups = NDArray[np.int64]
Scores = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """Pictures as the network saw them: examples (M), the object in each (M,), by a name for the set.

    `paths` (M) are the pictures' own; `network` looks again where a bin undoes its light.
    """

    name: str
    examples: tuple[Example, ...]
    objects: Groups
    paths: tuple[list[Path], ...]
    network: Classifier

    def taught(self, indices: Iterable[int]) -> list[Example]:
        """Some of them as they are shown, with their picture."""
        shown = [(self.examples[index], self.views(index)[0]) for index in indices]
        return [Example(one.label, one.embeddings, one.scores, to_jpeg(view)) for one, view in shown]

    def views(self, index: int) -> tuple[Image, Image]:
        """Two frames of one of them, the second turned a quarter, as the network takes them."""
        found = [to_input(load_picture(path), self.network.input_spec) for path in self.paths[index][:2]]
        return found[0], turned(found[-1], 1)

    def scores(self, index: int, lesson: Lesson | None, num_classes: int) -> Scores:
        """What the network makes of the views of one of them, or a bin with this lesson; (V, num_classes)."""
        one = self.examples[index]
        if lesson is None:
            return widened(one.scores, num_classes)
        if not lesson.undoes_light:
            return lesson.head.join(one.scores, one.embeddings)
        bin_ = TaughtClassifier(self.network, lesson.head, lesson.labels)
        views = self.views(index)
        if all(lesson.head.light.undo(view) is None for view in views):
            return widened(one.scores, num_classes)
        return np.stack([bin_.classify(view).scores for view in views])


def see(name: str, items: Sequence[tuple[str, str, list[Path]]], bundle: Bundle, cache: Path | None) -> Seen:
    """Each item (label, object, its pictures) through the network: two frames, the second turned."""
    network = open_network(bundle, 1)
    kept = None if cache is None else cache / f"{name.replace('/', '_')}-{bundle.bundle_id[:8]}.npz"
    paths = tuple(found for _, _, found in items)
    _, objects = np.unique([group for _, group, _ in items], return_inverse=True)
    if kept is not None and kept.exists():
        with np.load(kept) as stored:
            pairs = zip(items, stored["embeddings"], stored["scores"], strict=True)
            examples = [Example(item[0], embeddings, scores, b"") for item, embeddings, scores in pairs]
        return Seen(name, tuple(examples), objects, paths, network)
    unseen = Seen(name, (), objects, paths, network)
    examples = [_seen(label, unseen.views(index), network) for index, (label, _, _) in enumerate(items)]
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        embeddings, scores = (np.stack([getattr(e, field) for e in examples]) for field in ("embeddings", "scores"))
        np.savez(kept, embeddings=embeddings, scores=scores)
    return Seen(name, tuple(examples), objects, paths, network)


def _seen(label: str, views: Sequence[Image], network: Classifier) -> Example:
    return example_of(label, [(view, network.classify(view)) for view in views])


def sites(folder: Path, trashnet: Path) -> dict[str, list[tuple[str, str, list[Path]]]]:
    """The crops of `tests.bench.teaching_sites`, two frames an item, with the groups of TrashNet."""
    group_of = {Path(row["path"]).stem: row["group"] for row in _rows(trashnet)}
    found = {}
    for site in sorted(path for path in folder.iterdir() if path.is_dir()):
        items: dict[tuple[str, str], list[Path]] = {}
        for path in sorted(site.glob("*/*.png")):
            items.setdefault((path.parent.name, path.stem.rsplit("-", 1)[0]), []).append(path)
        found[site.name] = [(label, group_of[stem], paths) for (label, stem), paths in items.items()]
    return found


def pictures(folder: Path) -> list[tuple[str, str, list[Path]]]:
    """Whole pictures by class, each an object of its own."""
    return [(path.parent.name, path.name, [path]) for path in sorted(folder.glob("*/*.jpg"))]


def trashnet_val(trashnet: Path) -> list[tuple[str, str, list[Path]]]:
    """The pictures that the shipped model was not trained on."""
    return [(r["label"], r["group"], [trashnet / r["path"]]) for r in _rows(trashnet) if r["split"] == "val"]


def _rows(trashnet: Path) -> list[dict[str, str]]:
    with (trashnet / "groups.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def draw(seen: Seen, labels: Iterable[str], num: int, seed: int) -> tuple[list[int], list[int]]:
    """`num` examples of each label, of different objects as far as there are, and all examples of other objects."""
    rng = np.random.default_rng([seed, num])
    taught: list[int] = []
    for label in labels:
        own = rng.permutation([index for index, one in enumerate(seen.examples) if one.label == label])
        first_of = {int(seen.objects[index]): int(index) for index in reversed(own)}
        others = [int(index) for index in own if int(index) not in set(first_of.values())]
        taught += [*first_of.values(), *others][:num]
    used = set(seen.objects[taught].tolist())
    return taught, [index for index in range(len(seen.examples)) if int(seen.objects[index]) not in used]


def is_right(lesson: Lesson | None, seen: Seen, indices: Iterable[int], labels: tuple[str, ...]) -> NDArray[np.bool_]:
    """Which of them are right by what was taught, or by the network alone; the views of each count together."""

    def is_right_of(index: int) -> bool:
        scores = np.maximum(seen.scores(index, lesson, len(labels)), 1e-4)
        return labels[int(np.log(scores).mean(axis=0).argmax())] == seen.examples[index].label

    return np.array([is_right_of(index) for index in indices])


def share(right: NDArray[np.bool_], num_draws: int = 1) -> str:
    """A share with its interval; the same pictures come in several draws, and count once."""
    low, high = wilson_interval(round(right.mean() * len(right) / num_draws), round(len(right) / num_draws))
    return f"{right.mean():6.1%} ({low:.0%} to {high:.0%})"


def judge_site(seen: Seen, val: Seen, bundle: Bundle, draws: int, shots: Sequence[int]) -> None:
    """A line for each number of examples: on other objects, held out, and TrashNet's `val` before and after."""
    labels = sorted({one.label for one in seen.examples})
    own = bundle.manifest.labels
    before = _all_right(None, seen, (*own, *(label for label in labels if label not in own)))
    unrelated = _all_right(None, val, own).mean()
    relight = partial(in_light, network=seen.network)
    print(f"\n{seen.name}: {len(seen.examples)} examples of {len(labels)} classes\n   0: {share(before)}")
    for num in shots:
        right, promised, elsewhere, fit_s, lit = [], [], [], [], 0
        for seed in range(draws):
            taught, rest = draw(seen, labels, num, seed)
            shown = seen.taught(taught)
            began_s = time.process_time()
            lesson = learn(bundle, shown, relight)
            lit += lesson.undoes_light
            fit_s.append(time.process_time() - began_s)
            right.append(is_right(lesson, seen, rest, lesson.labels))
            promised += [one.right_after / one.num_examples for one in lesson.reports if one.right_after is not None]
            elsewhere.append(_all_right(lesson, val, lesson.labels).mean() - unrelated)
        by_draw = [one.mean() for one in right]
        print(
            f"  {num:2}: {share(np.concatenate(right), draws)}, draws {min(by_draw):.1%} to {max(by_draw):.1%};"
            f" promised {np.mean(promised) if promised else math.nan:.1%};"
            f" TrashNet val {100 * np.mean(elsewhere):+.1f} points, worst {100 * min(elsewhere):+.1f};"
            f" light undone in {lit} of {draws}; fitted in {max(fit_s):.1f} s",
            flush=True,
        )


def judge_camera(
    seen: Seen, others: Sequence[Seen], val: Seen, bundle: Bundle, draws: int, shots: Sequence[int]
) -> None:
    """The taught class on the camera itself, and all other classes on every other set."""
    (label,) = {one.label for one in seen.examples}
    labels = bundle.manifest.labels
    own_before, val_before = _all_right(None, seen, labels), _all_right(None, val, labels).mean()
    other_before = _others_right(None, others, label, labels)
    print(f"\n{seen.name} ({label}): {len(seen.examples)}; other classes elsewhere: {len(other_before)}")
    print(f"   0: {share(own_before)}; others {share(other_before)}")
    for num in shots:
        if num >= len(seen.examples) / 2:
            break
        own, other, elsewhere = [], [], []
        for seed in range(draws):
            taught, rest = draw(seen, [label], num, seed)
            lesson = learn(bundle, seen.taught(taught))
            own.append(is_right(lesson, seen, rest, labels))
            other.append(_others_right(lesson, others, label, labels))
            elsewhere.append(_all_right(lesson, val, labels).mean() - val_before)
        print(
            f"  {num:2}: {share(np.concatenate(own), draws)}; others {share(np.concatenate(other), draws)};"
            f" TrashNet val {100 * np.mean(elsewhere):+.1f} points",
            flush=True,
        )


def _all_right(lesson: Lesson | None, seen: Seen, labels: tuple[str, ...]) -> NDArray[np.bool_]:
    return is_right(lesson, seen, range(len(seen.examples)), labels)


def _others_right(
    lesson: Lesson | None, others: Sequence[Seen], label: str, labels: tuple[str, ...]
) -> NDArray[np.bool_]:
    """The pictures of other sets and of other classes than `label`."""
    parts = [
        is_right(lesson, other, [index for index, one in enumerate(other.examples) if one.label != label], labels)
        for other in others
    ]
    return np.concatenate(parts)


def time_teaching(bundle: Bundle, items: Sequence[tuple[str, str, list[Path]]]) -> None:
    """How long 100 pictures of all classes take from file to head, on one core."""
    network = open_network(bundle, 1)
    began_s = time.process_time()
    shown = []
    for label, _, paths in items[:: len(items) // 100][:100]:
        picture = to_input(load_picture(paths[0]), network.input_spec)
        shown.append(_seen(label, (picture, turned(picture, 1)), network))
    learn(bundle, shown, partial(in_light, network=network))
    print(f"\n{len(shown)} pictures taught in {time.process_time() - began_s:.1f} s of one core")


def main() -> None:
    """Measure everything that is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sites", type=Path)
    parser.add_argument("--bundle", type=Path, default=DEFAULT_BUNDLE)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--shots", type=int, action="append")
    parser.add_argument("--only", action="append", help="only these sites and cameras")
    arguments = parser.parse_args()
    shots = tuple(arguments.shots or SHOTS)
    bundle, data = load_bundle(arguments.bundle), arguments.data

    def look(name: str, items: list[tuple[str, str, list[Path]]]) -> Seen:
        return see(name, items, bundle, arguments.cache)

    print(f"{bundle.short_name}, {arguments.draws} draws")
    val = look("trashnet-val", trashnet_val(data / "trashnet"))
    places = sites(arguments.sites, data / "trashnet") if arguments.sites else {}
    chosen = arguments.only or ()
    for name, items in {**places, "retail": pictures(data / "retail")}.items():
        if not chosen or name in chosen:
            judge_site(look(name, items), val, bundle, arguments.draws, shots)
    folders = [path for path in sorted((data / "bins").glob("*_*")) if len(list(path.glob("*/"))) == 1]
    folders = [path for path in folders if not path.name.startswith("hands")]
    cameras = [
        look(path.name, pictures(path)) for path in folders if not chosen or {*chosen} & {p.name for p in folders}
    ]
    for camera in cameras:
        if not chosen or camera.name in chosen:
            others = [*(other for other in cameras if other is not camera), val]
            judge_camera(camera, others, val, bundle, arguments.draws, shots)
    time_teaching(bundle, trashnet_val(data / "trashnet"))


if __name__ == "__main__":
    main()
