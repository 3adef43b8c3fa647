"""An audit as a page: what was found, shown, and a contact sheet of each class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from edge.data_folder import Dataset, in_words
from edge.errors import PictureError
from edge.preprocess import Image, load_picture
from edge.reports import page
from edge.reports.charts import Bar, bar_chart
from train.audit.findings import Audit
from train.audit.words import alike

_TILE_PX, _COLUMNS, _ROWS = 96, 10, 4
_MOST_SHOWN = 24


def audit_page(audit: Audit, dataset: Dataset) -> str:
    """One file that opens anywhere."""
    root = dataset.root
    bars = [Bar(label, facts.num_pictures) for label, facts in audit.classes.items()]
    sections = [
        f"<h1>{page.escaped(root.name)}</h1>",
        page.tiles(_tiles(audit)),
        page.section(
            "Classes",
            bar_chart(bars, title="Pictures by class", x_label="pictures"),
            page.table(
                ["class", "pictures", "median size"],
                [
                    [label, str(facts.num_pictures), f"{facts.median_width_px} x {facts.median_height_px}"]
                    for label, facts in audit.classes.items()
                ],
            ),
        ),
        page.section("Left out", *map(page.text, in_words(audit.left_out, _MOST_SHOWN) or ["None."])),
        page.section("Background", page.text(_background(audit))),
        _gallery("The same picture twice", _alike(audit, root), len(audit.alike)),
        _gallery(
            "Labels to look at",
            _suspects(audit, root),
            len(audit.suspects),
            "They look like another class to the shipped network: some labels are wrong, some items odd.",
        ),
        *(page.section(f"Contact sheet: {label}", _sheet(dataset, label)) for label in dataset.labels),
    ]
    return page.page(f"audit of {root.name}", sections)


def _tiles(audit: Audit) -> list[tuple[str, str]]:
    return [
        (str(sum(facts.num_pictures for facts in audit.classes.values())), "pictures"),
        (str(len(audit.left_out)), "left out"),
        (f"{audit.imbalance:.1f}", "of the largest class to one of the smallest"),
        (f"{audit.grouped_share:.0%}", "show what another picture shows"),
        (str(sum(one.has_conflict for one in audit.alike)), "twins with conflicting labels"),
        (str(len(audit.suspects)), "doubtful labels"),
    ]


def _background(audit: Audit) -> str:
    test = audit.background
    if test is None:
        return "There is one class only."
    return (
        f"Corner colors alone get {test.accuracy:.0%} right (largest class: {test.largest_class:.0%}): {test.verdict}."
    )


def _gallery(heading: str, shown: Sequence[tuple[str, Sequence[Image]]], num_found: int, words: str = "") -> str:
    """The first of what was found, and how many there are."""
    if not num_found:
        return page.section(heading, page.text("None."))
    said = page.text(words) if words else ""
    return page.section(f"{heading} ({len(shown)} of {num_found})", said, page.pictures(shown))


def _alike(audit: Audit, root: Path) -> list[tuple[str, Sequence[Image]]]:
    shown: list[tuple[str, Sequence[Image]]] = []
    for one in audit.alike[:_MOST_SHOWN]:
        images = [image for path in one.paths[:2] if (image := _thumbnail(root / path)) is not None]
        trouble = " - CONFLICTING LABELS" if one.has_conflict else " - in several splits" if one.leaks else ""
        shown.append((f"{alike(one)}{trouble}", images))
    return shown


def _suspects(audit: Audit, root: Path) -> list[tuple[str, Sequence[Image]]]:
    return [
        (f"{one.path}: looks like {one.looks_like}", [image])
        for one in audit.suspects[:_MOST_SHOWN]
        if (image := _thumbnail(root / one.path, 2 * _TILE_PX)) is not None
    ]


def _thumbnail(path: Path, size_px: int = _TILE_PX) -> Image | None:
    """The picture within a square, on white."""
    try:
        image = load_picture(path)
    except (PictureError, FileNotFoundError):
        return None
    scale = size_px / max(image.shape[:2])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    tile = np.full((size_px, size_px, 3), 255, np.uint8)
    y, x = (size_px - size[1]) // 2, (size_px - size[0]) // 2
    tile[y : y + size[1], x : x + size[0]] = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return tile


def _sheet(dataset: Dataset, label: str) -> str:
    """Pictures spread evenly over the class."""
    rows = [row for row in dataset.rows if row.label == label]
    chosen = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), _COLUMNS * _ROWS)).astype(int))
    tiles = [tile for index in chosen if (tile := _thumbnail(dataset.path(rows[index]))) is not None]
    if not tiles:
        return page.text("No readable picture.")
    caption = f"{len(tiles)} of {len(rows)} pictures of {label}"
    blank = np.full((_TILE_PX, _TILE_PX, 3), 255, np.uint8)
    columns = min(_COLUMNS, len(tiles))
    tiles += [blank] * (-len(tiles) % columns)
    lines = [np.hstack(tiles[first : first + columns]) for first in range(0, len(tiles), columns)]
    return page.picture(caption, np.vstack(lines))
