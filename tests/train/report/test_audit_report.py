"""The audit's page: what was found, and how much more there is."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from edge.data_folder import Dataset, LeftOut, scan
from train.audit.findings import Alike, Audit, ClassFacts
from train.report.audit_report import audit_page


def dataset(root: Path, num: int) -> Dataset:
    for label in ("can", "cup"):
        (root / label).mkdir(parents=True)
        for index in range(num):
            image = np.full((8, 8, 3), index, np.uint8)
            cv2.imwrite(str(root / label / f"{index:03}.png"), image)
    return scan(root)


def audit_of(pictures: Dataset, **found: object) -> Audit:
    nothing = {"left_out": (), "notes": {}, "alike": (), "groups": {}, "suspects": (), "background": None}
    classes = {label: ClassFacts(3, 8, 8) for label in pictures.labels}
    return Audit(classes=classes, **{**nothing, **found})  # type: ignore[arg-type]


def test_what_was_not_found_is_said(tmp_path: Path) -> None:
    pictures = dataset(tmp_path, 1)
    page = audit_page(audit_of(pictures), pictures)
    for heading in ("Left out", "The same picture twice", "Labels to look at"):
        assert f"<h2>{heading}</h2><p>None.</p>" in page


def test_of_many_the_first_are_shown_and_the_others_counted(tmp_path: Path) -> None:
    pictures = dataset(tmp_path, 30)
    all_cans = tuple(f"can/{index:03}.png" for index in range(30))
    pairs = tuple(Alike((f"can/{n:03}.png", f"cup/{n:03}.png"), True, ("can", "cup"), ("",)) for n in range(29))  # noqa: FBT003
    left_out = tuple(LeftOut(f"cup/{n}.heic", ".heic cannot be read") for n in range(30))
    alike = (Alike(all_cans, False, ("can",), ("",)), *pairs)  # noqa: FBT003
    page = audit_page(audit_of(pictures, alike=alike, left_out=left_out), pictures)
    assert "The same picture twice (24 of 30)" in page
    assert "nearly identical: can/000.png, can/001.png, can/002.png, can/003.png and 26 more" in page
    assert "cup/23.heic" in page
    assert "cup/24.heic" not in page
    assert "and 6 more" in page
