"""`report.html` of a run: what it is worth, what it looked at, where it fails, and how to do it again."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from edge.confidence import reliability, wilson_interval
from edge.errors import MissingInputError, PictureError, StorageError
from edge.files.picture_headers import examine
from edge.preprocess import Image, InputSpec, load_picture, resize, to_input
from edge.reports import page
from edge.reports.charts import Bar, Line, bar_chart, line_chart, matrix_chart
from edge.reports.page import write_page
from edge.run import MODEL_FILE, REPORT_FILE, TRAIN_SPLIT, VAL_SPLIT, SplitRow, whole_network
from train.fitting.phases import predict
from train.measuring.background import corner_colors, measure_background
from train.measuring.heatmaps import Heatmaps, overlay
from train.measuring.intervals import f1_intervals
from train.measuring.metrics import Evaluation
from train.measuring.progress import Progress
from train.measuring.robustness import Row, measure_robustness
from train.report.again import how_to_do_it_again
from train.report.curves import curve_chart
from train.report.story import Story, load_story

_NUM_MISTAKES = 24
_SHOWN_PX = 224
_MOST_ROBUSTNESS = 400  # pictures; more would make the report slow and its rows no surer than two points


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """A picture of the run that can still be read, and the mean colors of its corners."""

    row: SplitRow
    corners: NDArray[np.float32]


def write_report(folder: Path, progress: Progress = iter, root: Path | None = None) -> Path:
    """Write the report of a finished run into its directory; half a minute to some minutes of predictions.

    `progress` is shown all pictures, then those held out; they lie in `root` now, by default where they were.

    Raises:
        MissingInputError, InvalidDataError: it is not a finished run, or none of its pictures is there.
        StorageError: the report cannot be written.
    """
    story = load_story(folder, root)
    document = page.page(f"{story.run.recipe} on {story.root.name}", _sections(story, progress))
    path = folder / REPORT_FILE
    try:
        write_page(path, document)
    except StorageError as error:
        again = f"`sorter report {shlex.quote(str(folder))}`"
        raise StorageError(f"{error}; the run itself is finished: make room, then {again} writes it") from error
    return path


def _sections(story: Story, progress: Progress) -> list[str]:
    found = _find_pictures(story, progress)
    if not found:  # a report without them would replace one that shows them
        again = f"`sorter report {shlex.quote(str(story.folder))} --data FOLDER`"
        raise MissingInputError(
            f"none of the {len(story.splits)} pictures of this run lies in {story.root} any more, and no report was"
            f" written: {again}, with where they are now, writes it"
        )
    return [
        _head(story),
        _curves(story),
        page.section("Confusion matrix", _confusion(story.evaluation)),
        _classes(story),
        _calibration(story),
        *_looked_at(story, found, progress),
        how_to_do_it_again(story),
    ]


def _head(story: Story) -> str:
    run, evaluation, cost = story.run, story.evaluation, story.run.cost
    low, high = evaluation.accuracy_ci95
    values = [
        (
            f"{evaluation.accuracy:.1%}",
            f"right of {evaluation.num_images} held out ({low:.1%} to {high:.1%})",
        ),
        (f"{evaluation.macro_f1:.1%}", "macro F1"),
        (f"{evaluation.ece:.3f}", "calibration error"),
    ]
    if "test_accuracy" in run.metrics:
        values.append((f"{run.metrics['test_accuracy']:.1%}", "accuracy on the unseen test part"))
    if cost is not None:
        values.append((f"{cost.num_parameters / 1e6:.2f} M", "parameters"))
        values.append((f"{cost.num_multiply_adds / 1e9:.2f} G", "multiply-adds a picture"))
        values.append((f"{cost.training_s / 60:.0f} min", "training"))
    where = f"{run.backbone}, {run.input.width_px} x {run.input.height_px} pixels, trained {run.created_at}"
    title = page.escaped(f"{run.recipe} on {story.root.name}")
    return f"<h1>{title}</h1>{page.text(where, is_quiet=True)}{page.tiles(values)}"


def _confusion(evaluation: Evaluation) -> str:
    title = "True class (rows) and answer (columns)"
    return page.wide(matrix_chart(evaluation.labels, evaluation.confusion_matrix, title=title))


def _curves(story: Story) -> str:
    if not story.history:
        return page.section("Curves", page.text("This run left no curves."))
    accuracy = curve_chart({"": story.history}, "accuracy", factor=100.0, y_label="accuracy, %", title=story.run.recipe)
    loss = curve_chart({"": story.history}, "loss", factor=1.0, y_label="loss", title=story.run.recipe)
    return page.section("Curves", page.figures(accuracy, loss), page.text(_gap(story), is_quiet=True))


def _gap(story: Story) -> str:
    told = "Training accuracy is measured on augmented pictures, which are harder"
    told += ", and against what the teachers made of their labels." if story.run.teachers else "."
    if "train_accuracy" not in story.run.metrics:
        return told
    train = story.run.metrics["train_accuracy"]
    gap = 100 * (train - story.evaluation.accuracy)
    return f"{told} On the training pictures as they are: {train:.1%}, {gap:.1f} points above validation."


def _classes(story: Story) -> str:
    evaluation = story.evaluation
    f1_bounds = f1_intervals(story.answered.scores.argmax(axis=1), story.answered.truth, len(evaluation.labels))
    rows: list[list[str]] = []
    bars: dict[str, list[Bar]] = {"Precision": [], "Recall": [], "F1": []}
    for index, label in enumerate(evaluation.labels):
        one = evaluation.per_class[label]
        if not one.support:
            rows.append([label, "0", "no held-out pictures", "", ""])
            continue
        right = evaluation.confusion_matrix[index][index]
        answered = sum(row[index] for row in evaluation.confusion_matrix)
        precision_bounds = wilson_interval(right, answered) if answered else (0.0, 1.0)
        bounds = (precision_bounds, wilson_interval(right, one.support), f1_bounds[index])
        shares = (one.precision, one.recall, one.f1)
        for found, share, (low, high) in zip(bars.values(), shares, bounds, strict=True):
            found.append(Bar(label, 100 * share, 100 * low, 100 * high))
        pairs = zip(shares, bounds, strict=True)
        rows.append(
            [label, str(one.support), *(f"{share:.1%} ({low:.0%} to {high:.0%})" for share, (low, high) in pairs)]
        )
    drawn = [bar_chart(found, title=name, x_label="%", x_range=(0, 100)) for name, found in bars.items()]
    return page.section(
        "Classes, with 95 % intervals",
        page.table(["class", "pictures", "precision", "recall", "F1"], rows),
        page.figures(*drawn),
        page.text(
            "Intervals: Wilson; for F1 of the share that is right among all that are of the class or taken for it.",
            is_quiet=True,
        ),
    )


def _calibration(story: Story) -> str:
    scores, truth = story.answered.scores, story.answered.truth
    confidence, is_right = scores.max(axis=1), scores.argmax(axis=1) == truth
    rows = [
        [f"{1 - float(part):.0%}", f"{share:.1%}", f"{100 * (share - story.evaluation.accuracy):+.1f}"]
        for part, share in story.evaluation.selective.items()
    ]
    return page.section(
        "How honest its scores are, and what refusing buys",
        page.figures(_reliability(confidence, is_right), _coverage(confidence, is_right)),
        page.text(f"Calibration error {story.evaluation.ece:.3f}: {_lean(confidence, is_right)}"),
        page.table(["least sure refused", "accuracy of the rest", "points gained"], rows),
    )


def _reliability(confidence: NDArray[np.float32], is_right: NDArray[np.bool_]) -> str:
    bins = reliability(confidence, is_right)
    filled = bins.counts > 0
    promised, kept = (100 * bins.promised[filled]).tolist(), (100 * bins.kept[filled]).tolist()
    return line_chart(
        [Line("this network", promised, kept)],
        title="Reliability: on the diagonal scores are honest",
        x_label="confidence, %",
        y_label="right, %",
        x_range=(0, 100),
        y_range=(0, 100),
        has_diagonal=True,
        has_marks=True,
    )


def _coverage(confidence: NDArray[np.float32], is_right: NDArray[np.bool_]) -> str:
    order = np.argsort(-confidence, kind="stable")
    counts = np.arange(1, len(order) + 1)
    accuracy = 100 * is_right[order].cumsum() / counts
    shown = counts >= len(order) / 2
    return line_chart(
        [Line("accuracy", (100 * counts[shown] / len(order)).tolist(), accuracy[shown].tolist())],
        title="Accuracy against coverage",
        x_label="answered, surest first, %",
        y_label="right, %",
    )


def _lean(confidence: NDArray[np.float32], is_right: NDArray[np.bool_]) -> str:
    gap = float(confidence.mean() - is_right.mean())
    if abs(gap) < 0.02:
        return "on average its scores are as high as they should be."
    kind = "higher" if gap > 0 else "lower"
    return f"on average its scores are {abs(gap):.2f} {kind} than its accuracy; conversion mends it by a temperature."


def _find_pictures(story: Story, progress: Progress) -> list[Found]:
    """The run's pictures that can still be read."""
    opened = ((row, _open(story, row.path)) for row in progress(story.splits))
    return [Found(row, corner_colors(image)) for row, image in opened if image is not None]


def _looked_at(story: Story, found: Sequence[Found], progress: Progress) -> list[str]:
    model = keras.models.load_model(whole_network(story.folder / MODEL_FILE), compile=False)
    return [_robustness(story, model, found, progress), _mistakes(story, model), *_data(story, found)]


def _robustness(story: Story, model: keras.Model, found: Sequence[Found], progress: Progress) -> str:
    held_out = [one.row for one in found if one.row.split == VAL_SPLIT]
    if len(held_out) > _MOST_ROBUSTNESS:
        chosen = np.random.default_rng(0).choice(len(held_out), _MOST_ROBUSTNESS, replace=False)
        held_out = [held_out[index] for index in sorted(chosen)]
    if not held_out:
        return page.section("Robustness", page.text("None of the held-out pictures can be read any more."))
    rows = measure_robustness(
        lambda index: load_picture(story.root / held_out[index].path),
        [story.run.labels.index(row.label) for row in held_out],
        story.run.input.spec(),
        lambda images: predict(model, images),
        progress,
    )
    bars = [Bar(row.condition, 100 * row.accuracy, 100 * row.ci95[0], 100 * row.ci95[1]) for row in rows]
    return page.section(
        "Under other lamps, distances and grounds",
        bar_chart(bars, title="Accuracy, with 95 % intervals", x_label="%", x_range=(0, 100)),
        page.table(["condition", "pictures", "accuracy", "95 % interval"], robustness_table(rows)),
        page.text("The held-out pictures, changed; other background: the items cut out, on grounds made up."),
    )


def robustness_table(rows: Sequence[Row]) -> list[list[str]]:
    """A line for each condition."""
    return [
        [row.condition, str(row.num_pictures), f"{row.accuracy:.1%}", f"{row.ci95[0]:.1%} to {row.ci95[1]:.1%}"]
        for row in rows
    ]


def _mistakes(story: Story, model: keras.Model) -> str:
    scores, truth = story.answered.scores, story.answered.truth
    answers = scores.argmax(axis=1)
    wrong = np.flatnonzero(answers != truth)
    if not len(wrong):
        return page.section("Mistakes", page.text("None on the held-out pictures."))
    worst = wrong[np.argsort(-scores[wrong, answers[wrong]], kind="stable")][:_NUM_MISTAKES]
    heatmaps, spec = Heatmaps(model), story.run.input.spec()
    shown = []
    for index in worst:
        image = _open(story, story.answered.paths[index])
        if image is None:
            continue
        seen = to_input(image, spec)
        label, answer = story.run.labels[truth[index]], story.run.labels[answers[index]]
        caption = f"{story.answered.paths[index]}: {label} taken for {answer} ({scores[index].max():.0%})"
        small = _shrink(seen)
        shown.append((caption, [small, overlay(small, heatmaps.heat(seen, int(answers[index])))]))
    return page.section(
        f"The surest mistakes ({len(shown)} of {len(wrong)})",
        page.text("Right: the places that spoke for the wrong answer, yellow the loudest. Some labels may be wrong."),
        page.pictures(shown),
    )


def _shrink(image: Image) -> Image:
    height, width = image.shape[:2]
    scale = min(1.0, _SHOWN_PX / max(height, width))
    return resize(image, InputSpec(round(height * scale), round(width * scale)))


def _open(story: Story, path: str) -> Image | None:
    try:
        return load_picture(story.root / path)
    except (PictureError, FileNotFoundError):
        return None


def _data(story: Story, found: Sequence[Found]) -> list[str]:
    """The background test and the defects of the files."""
    colors = np.stack([one.corners for one in found])
    test = measure_background(colors, [one.row.label for one in found], [one.row.group for one in found])
    counts = {split: Counter(row.label for row in story.splits if row.split == split) for split in _splits(story)}
    rows = [[label, *(str(counts[split][label]) for split in counts)] for label in story.run.labels]
    notes = Counter(note.value for one in found for note in examine(story.root / one.row.path).notes)
    told = ", ".join(f"{count} {note}" for note, count in notes.most_common()) or "none"
    return [
        page.section(
            "Background test",
            page.text(
                f"The colors of the four corners alone get {test.accuracy:.0%} right"
                f" (always saying the largest class: {test.largest_class:.0%}): {test.verdict}."
            ),
        ),
        page.section(
            "Data",
            page.table(["class", *counts], rows),
            page.text(f"Left out as unreadable: {story.run.data.num_left_out}. Unusual files: {told}."),
            *_gone(story, found),
            page.text("`sorter data audit` looks for twins, conflicting and doubtful labels.", is_quiet=True),
        ),
    ]


def _gone(story: Story, found: Sequence[Found]) -> list[str]:
    """What is said of pictures without which the report was written."""
    num_gone = len(story.splits) - len(found)
    said = f"Missing above: {num_gone} of {len(story.splits)}, which are no longer in {story.root} or cannot be read."
    return [page.text(said)] if num_gone else []


def _splits(story: Story) -> list[str]:
    found = {row.split for row in story.splits}
    return [split for split in (TRAIN_SPLIT, VAL_SPLIT, "test") if split in found]
