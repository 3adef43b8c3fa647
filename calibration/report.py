"""One page about a calibrated bin: what it sees, how sure it is, and what it was taught."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from calibration.overview import standings
from calibration.scores.configured import least_now
from calibration.scores.pictures import Measured
from calibration.scores.thresholds import Labelled, Tally, accepted, fit_thresholds, folds_of, precision_wish, tally
from calibration.teaching.examples import decode_examples, from_jpeg
from edge.assembly.parts import Parts
from edge.confidence import reliability
from edge.deciding.rules import threshold_text
from edge.drift import Fingerprint
from edge.listing import counted
from edge.messages import Image
from edge.preprocess import load_picture
from edge.presence.planes import Floats
from edge.presence.settings import Region
from edge.reports.charts import Bar, Line, bar_chart, line_chart, matrix_chart
from edge.reports.page import escaped, figures, page, picture, pictures, section, table, text, tiles, wide, write_page
from edge.site import ClassStep, SiteDescription, ThresholdsStep, load_variation, read_part

_PICTURE_WIDTH_PX = 960
_NUM_SHOWN = 8
_SIGNAL = (213, 94, 0)  # the vermillion of Okabe and Ito: seen by everybody, and in print
_NUM_BINS = 10


def report_html(parts: Parts, described: SiteDescription, folder: Path) -> str:
    """The whole page, with everything inside.

    Raises:
        InvalidDataError: a part of the site is missing or damaged.
    """
    sections = [
        *_head(parts, described),
        *_scene(parts, described, folder),
        *_camera(described),
        *_sureness(parts, described, folder),
        *_thresholds(parts, described, folder),
        *_taught(described, folder),
        *_flaps(described),
    ]
    return page(f"Calibration of {parts.config.device.id}", sections)


def write_report(parts: Parts, described: SiteDescription, folder: Path, out: Path) -> None:
    """Write the page to the file `out`.

    Raises:
        AccessDeniedError, StorageError: it cannot be written.
    """
    write_page(out, report_html(parts, described, folder))


def _head(parts: Parts, described: SiteDescription) -> Iterator[str]:
    yield f"<h1>{escaped(f'Calibration of {parts.config.device.id}')}</h1>"
    yield text(f"Site {parts.site.site_id or 'none yet'}, model {parts.bundle.short_name}.", is_quiet=True)
    rows = [
        (one.title, "not done yet" if one.made_at is None else f"{one.made_at:%Y-%m-%d %H:%M}", one.remedy)
        for one in standings(described, parts.bundle)
    ]
    yield table(("step", "done", "what to do"), rows)


def _scene(parts: Parts, described: SiteDescription, folder: Path) -> Iterator[str]:
    step = described.background
    if step is None:
        return
    read_part(folder, step.picture)  # is it whole?
    image = load_picture(folder / step.picture)
    levels = load_variation(folder, step)
    caption = (
        f"The empty scene, the mean of {counted(step.num_frames, 'picture')}; only what is inside of the frame counts"
    )
    most = max(1.0, float(np.percentile(levels, 99.5)))
    by_itself = f"How much each part varies by itself: black not at all, white by {most:.1f} grey levels or more"
    shown = pictures(
        [(caption, [_framed(image, parts.presence_settings.region)]), (by_itself, [_grey(levels / most, image.shape)])]
    )
    yield section("What it sees", shown, _fingerprint(step.fingerprint))


def _fingerprint(found: Fingerprint) -> str:
    rows = [
        ("brightness", f"{found.brightness:.0f} of 255"),
        ("red, green, blue", f"{found.red:.0f}, {found.green:.0f}, {found.blue:.0f}"),
        ("sharpness", f"{found.sharpness:.1f}"),
        ("each part varies by", f"{found.noise:.1f} grey levels"),
    ]
    said = "The running bin looks at the empty scene once a minute, and says when light, color, sharpness or position"
    return table(("fingerprint of the first day", ""), rows) + text(f"{said} are not any more what they were.")


def _camera(described: SiteDescription) -> Iterator[str]:
    step = described.camera
    if step is None:
        return
    rows = [
        ("camera", step.backend),
        ("picture", f"{step.width_px} x {step.height_px} pixels"),
        ("rate really reached", f"{step.rate_hz:.1f} frames/s"),
        ("sharpness when focused", f"{step.sharpness:.1f}"),
        *((name, f"{value:g}") for name, value in step.controls.items()),
    ]
    words = (
        "Settings below the sharpness are locked at every start." if step.controls else "It has no settings to lock."
    )
    yield section("Camera", table(("setting", "value"), rows), text(words, is_quiet=True))


def _sureness(parts: Parts, described: SiteDescription, folder: Path) -> Iterator[str]:
    step = described.temperature
    if step is None or parts.site.temperature is None:
        return
    measured = Measured.decode(read_part(folder, step.judged))
    lines = [
        _reliability_line("with the bundle's temperature", measured.at(parts.bundle.manifest.temperature)),
        _reliability_line("as calibrated", measured.at(step.value)),
    ]
    chart = line_chart(
        lines,
        title="Is it as sure as it is right?",
        x_label="how sure it says it is",
        y_label="share that is right",
        x_range=(0, 1),
        y_range=(0, 1),
        has_diagonal=True,
        has_marks=True,
    )
    judged = (
        f"Off by {step.ece_before:.1%} before and {step.ece_after:.1%} after, by {step.num_pictures} labelled pictures"
    )
    # The lines carry no such figure: what was found in these very pictures looks better in them than elsewhere.
    words = (
        f"{judged}, each judged by a temperature that had not seen it. The lines show them all at one temperature;"
        " on the dotted line sureness and truth agree."
    )
    yield section("How sure it is", figures(chart), text(words))


def _reliability_line(name: str, pictures_: Labelled) -> Line:
    is_right = pictures_.answers == pictures_.truth
    bins = reliability(pictures_.confidences, is_right, _NUM_BINS)
    filled = bins.counts > 0
    return Line(name, bins.promised[filled].tolist(), bins.kept[filled].tolist())


def _thresholds(parts: Parts, described: SiteDescription, folder: Path) -> Iterator[str]:
    step = described.thresholds
    if step is None or not parts.site.thresholds:
        return
    measured = Measured.decode(read_part(folder, step.judged))
    labelled = measured.at(parts.site.temperature or parts.bundle.manifest.temperature)
    judged = _judged_in(measured)
    rows = [_threshold_row(label, one, is_of_now=label in judged) for label, one in step.classes.items()]
    counted = {label: one for label, one in step.classes.items() if label in judged}
    bars = [_bar(label, one) for label, one in counted.items() if one.num_accepted]
    drawn = [bar_chart(bars, title="Right among the accepted", x_label="share that is right", x_range=(0, 1))]
    yield section(
        "When it accepts",
        text(f"The wish: {step.wish}."),
        tiles(
            _overall(
                list(counted.values()), _num_accepted_as_others(parts, step, measured, labelled), len(labelled.truth)
            )
        ),
        table(("class", "sure enough from", "accepted", "right", "so of as many others"), rows),
        figures(*(drawn if bars else []), _choice_chart(labelled)),
        _confusion_chart(measured.labels, labelled),
        text(
            "Counted on pictures that were left out when the thresholds were found. The whiskers, and the last column,"
            " are where the share will lie when as many others are accepted, 19 times of 20.",
            is_quiet=True,
        ),
    )


def _judged_in(measured: Measured) -> set[str]:
    """The classes of which the pictures tell something: some were answered as it, and some show it.

    The thresholds of other classes are those of an earlier step, whose pictures are not these.
    """
    told = np.intersect1d(measured.logits.argmax(axis=1), measured.truth)
    return {measured.labels[index] for index in told}


def _bar(label: str, found: ClassStep) -> Bar:
    low, high = _interval(found)
    return Bar(label, found.num_right / found.num_accepted, low, high, f"of {found.num_accepted}")


def _threshold_row(label: str, found: ClassStep, *, is_of_now: bool) -> list[str]:
    low, high = _interval(found)
    return [
        label if is_of_now else f"{label} (as found before)",
        threshold_text(found.min_confidence),
        str(found.num_accepted),
        str(found.num_right),
        f"{low:.0%} to {high:.0%}" if found.num_accepted else "nothing can be said",
    ]


def _interval(found: ClassStep) -> tuple[float, float]:
    return Tally(found.num_accepted, found.num_accepted, found.num_right, found.num_items).interval


def _overall(found: Sequence[ClassStep], num_accepted_as_others: int, num_pictures: int) -> list[tuple[str, str]]:
    total = num_accepted_as_others + sum(one.num_accepted for one in found)
    num_right = sum(one.num_right for one in found)
    return [
        (f"{num_right / total:.1%}" if total else "-", f"right, of {total} accepted"),
        (f"{1 - total / num_pictures:.0%}", f"left as unknown, of {num_pictures}"),
    ]


def _num_accepted_as_others(parts: Parts, step: ThresholdsStep, measured: Measured, labelled: Labelled) -> int:
    """How many pictures are accepted, wrongly, as a class that none shows: by the threshold that holds without them."""
    least = [least_now(parts.config, label, step.classes) for label in measured.labels]
    is_shown = np.isin(labelled.answers, labelled.truth)
    return int((accepted(labelled, least) & ~is_shown).sum())


def _choice_chart(labelled: Labelled) -> str:
    folds = folds_of(labelled.objects)
    wishes = (0.8, 0.85, 0.9, 0.93, 0.95, 0.96, 0.97, 0.98, 0.99)
    tallies = [fit_thresholds(labelled, precision_wish(wish), folds).overall for wish in wishes]
    tallies = [tally(labelled, np.ones(len(folds), np.bool_)), *(each for each in tallies if each.num_accepted)]
    tallies.sort(key=lambda each: -each.coverage)
    bounds = [each.interval for each in tallies]
    right = Line(
        "right among the accepted",
        [1 - each.coverage for each in tallies],
        [each.num_right / each.num_accepted for each in tallies],
        [low for low, _ in bounds],
        [high for _, high in bounds],
    )
    return line_chart(
        [right],
        title="What being surer costs",
        x_label="share left as unknown",
        y_label="right among the accepted",
        has_marks=True,
    )


def _confusion_chart(labels: tuple[str, ...], labelled: Labelled) -> str:
    counts = np.zeros((len(labels), len(labels)), np.int64)
    np.add.at(counts, (labelled.truth, labelled.answers), 1)
    rows = [[int(count) for count in row] for row in counts]
    return wide(matrix_chart(labels, rows, title="All of them: truth in rows, answers in columns"))


def _taught(described: SiteDescription, folder: Path) -> Iterator[str]:
    step = described.head
    if step is None:
        return
    examples = decode_examples(read_part(folder, step.examples))
    shown = []
    for label, count in step.num_examples.items():
        of_label = [example for example in examples if example.label == label][:_NUM_SHOWN]
        if of_label:
            tiled = np.hstack([_tile(from_jpeg(example.picture)) for example in of_label])
            shown.append(picture(f"{counted(count, 'example')} of {label}", tiled))
    yield section("What it was taught", *shown)


def _flaps(described: SiteDescription) -> Iterator[str]:
    if not described.actuators:
        return
    rows = [
        (name, f"{flap.rest_angle:g}°", f"{flap.open_angle:g}°", f"{flap.travel_s:g} s", f"{flap.open_s:g} s")
        for name, flap in described.actuators.items()
    ]
    yield section("Flaps", table(("bin", "shut (safe)", "open", "one swing", "stays open"), rows))


def _framed(image: Image, region: Region) -> Image:
    """The picture at the report's size, the region drawn in."""
    small = _small(image).copy()
    height, width = small.shape[:2]
    corner = (round(region.left * width), round(region.top * height))
    opposite = (round(region.right * width) - 1, round(region.bottom * height) - 1)
    for color, thickness in (((255, 255, 255), 7), (_SIGNAL, 3)):
        cv2.rectangle(small, corner, opposite, color, thickness)
    return small


def _grey(shares: Floats, shape: tuple[int, ...]) -> Image:
    levels = np.clip(shares * 255, 0, 255).astype(np.uint8)
    size = (min(_PICTURE_WIDTH_PX, shape[1]), round(shape[0] * min(1.0, _PICTURE_WIDTH_PX / shape[1])))
    return np.repeat(cv2.resize(levels, size, interpolation=cv2.INTER_LINEAR)[..., None], 3, axis=2).astype(np.uint8)


def _small(image: Image) -> Image:
    height, width = image.shape[:2]
    if width <= _PICTURE_WIDTH_PX:
        return image
    size = (_PICTURE_WIDTH_PX, round(height * _PICTURE_WIDTH_PX / width))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def _tile(image: Image) -> Image:
    return cv2.resize(image, (120, 120), interpolation=cv2.INTER_AREA)  # type: ignore[return-value]
