"""TrashNet and the camera sets in one data folder: what the shipped model is trained on.

python -m tests.bench.with_cameras OUT --trashnet ../shared/data/trashnet --bins ../shared/data/bins
    [--without CAMERA]

TrashNet keeps its splits; every camera's pictures are trained on, of one that filmed its items 45 spread over all,
since frames resemble each other. OUT holds links to the pictures.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from edge.data_folder import GROUPS_FILE, scan
from edge.run import TRAIN_SPLIT, SplitRow

# Photographs of many items, not frames of a few.
PHOTOGRAPHS = ("aquatrash_crops",)
NUM_OF_FRAMES = 45


def cameras_of(bins: Path) -> list[Path]:
    """The folders of pictures with known classes, one a camera."""
    return [path for path in sorted(bins.iterdir()) if path.name.startswith(("duenng_", *PHOTOGRAPHS))]


def write_folder(out: Path, trashnet: Path, cameras: Sequence[Path]) -> None:
    """Link all pictures of `trashnet` and the chosen ones of `cameras` into the data folder `out`."""
    pictures = [(row, trashnet / row.path) for row in scan(trashnet).rows]
    for camera in cameras:
        pictures += [(_trained_on(camera, row), camera / row.path) for row in _chosen(camera)]
    for row, picture in pictures:
        link = out / row.path
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(picture.resolve())
    with (out / GROUPS_FILE).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "label", "group", "split"))
        writer.writerows((row.path, row.label, row.group, row.split) for row, _ in pictures)


def _chosen(camera: Path) -> Iterator[SplitRow]:
    dataset = scan(camera)
    for label in dataset.labels:
        rows = [row for row in dataset.rows if row.label == label]
        num = len(rows) if camera.name in PHOTOGRAPHS else min(NUM_OF_FRAMES, len(rows))
        yield from (rows[index * len(rows) // num] for index in range(num))


def _trained_on(camera: Path, row: SplitRow) -> SplitRow:
    path = f"{row.label}/{camera.name}__{Path(row.path).name}"
    return SplitRow(path, row.label, path, TRAIN_SPLIT)


def main() -> None:
    """Write the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--trashnet", type=Path, required=True)
    parser.add_argument("--bins", type=Path, required=True)
    parser.add_argument("--without", action="append", default=[])
    arguments = parser.parse_args()
    write_folder(
        arguments.out,
        arguments.trashnet,
        [camera for camera in cameras_of(arguments.bins) if camera.name not in arguments.without],
    )


if __name__ == "__main__":
    main()
