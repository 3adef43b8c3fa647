"""What the pictures of a folder have wrong among each other: pure functions of what was seen."""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from statistics import median

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from edge.data_folder import LeftOut
from edge.files.picture_headers import Note
from edge.files.whole_file import whole_file
from edge.run import SPLIT_FIELDS
from train.audit.look import Seen
from train.measuring.background import BackgroundTest, measure_background
from train.measuring.neighbors import nearest_in, objects_of
from train.pictures.likeness import blocks, connected, find_groups

# Two pictures are nearly the same when colors lie alike over the frame and the network sees the same thing; on
# TrashNet 93 % of such pairs are listed as one object. When colors lie exactly alike, a file was only saved again.
_SAME_LAYOUT, _SAME_CONTENT = 0.95, 0.7
_SAVED_AGAIN = 0.995
_NEIGHBORS = 7
_AGREEING = 6  # of the neighbors name one other class: rarely by chance, often a wrong label


@dataclass(frozen=True, slots=True)
class Alike:
    """Pictures that are byte-identical, or nearly identical; a conflict where their labels or splits differ."""

    paths: tuple[str, ...]
    is_identical: bool
    labels: tuple[str, ...]
    splits: tuple[str, ...]

    @property
    def has_conflict(self) -> bool:
        """Whether one of the labels must be wrong."""
        return len(self.labels) > 1

    @property
    def leaks(self) -> bool:
        """Whether training sees what is held out."""
        return len(self.splits) > 1


@dataclass(frozen=True, slots=True)
class Suspect:
    """A picture that looks like another class: `agreeing` of its neighbors say so."""

    path: str
    label: str
    looks_like: str
    agreeing: int


@dataclass(frozen=True, slots=True)
class ClassFacts:
    """One class: pictures, and their median size in pixels."""

    num_pictures: int
    median_width_px: int
    median_height_px: int


@dataclass(frozen=True, slots=True)
class Audit:
    """Everything that was found. `groups` has an entry for each picture, empty where it is like no other."""

    classes: Mapping[str, ClassFacts]
    left_out: tuple[LeftOut, ...]
    notes: Mapping[Note, tuple[str, ...]]
    alike: tuple[Alike, ...]
    groups: Mapping[str, str]
    suspects: tuple[Suspect, ...]
    background: BackgroundTest | None

    @property
    def imbalance(self) -> float:
        """Pictures of the largest class for each one of the smallest."""
        counts = [facts.num_pictures for facts in self.classes.values()]
        return max(counts) / max(1, min(counts))

    @property
    def shared_groups(self) -> Mapping[str, int]:
        """How many pictures each group has that is more than a single picture's."""
        counts = Counter(group for group in self.groups.values() if group)
        return {group: count for group, count in counts.items() if count > 1}

    @property
    def grouped_share(self) -> float:
        """The share of pictures that show what another one shows."""
        return sum(self.shared_groups.values()) / max(1, len(self.groups))

    def to_json(self) -> dict[str, JsonValue]:
        """The object that `sorter data audit --json` prints."""
        return {
            "schema": 1,
            "classes": {
                label: {
                    "num_pictures": facts.num_pictures,
                    "median_width_px": facts.median_width_px,
                    "median_height_px": facts.median_height_px,
                }
                for label, facts in self.classes.items()
            },
            "imbalance": round(self.imbalance, 2),
            "left_out": [{"path": one.path, "reason": one.reason} for one in self.left_out],
            "notes": {note.value: list(paths) for note, paths in self.notes.items()},
            "alike": [
                {
                    "paths": list(one.paths),
                    "identical": one.is_identical,
                    "labels": list(one.labels),
                    "conflict": one.has_conflict,
                    "leak": one.leaks,
                }
                for one in self.alike
            ],
            "groups": {"share": round(self.grouped_share, 4), "count": len(self.shared_groups)},
            "suspects": [
                {"path": one.path, "label": one.label, "looks_like": one.looks_like, "agreeing": one.agreeing}
                for one in self.suspects
            ],
            "background": None
            if self.background is None
            else {
                "accuracy": round(self.background.accuracy, 4),
                "largest_class": round(self.background.largest_class, 4),
                "verdict": self.background.verdict,
            },
        }


def find(seen: Seen, labels: Sequence[str]) -> Audit:
    """All findings; a folder without a readable picture has only its defects."""
    notes: defaultdict[Note, list[str]] = defaultdict(list)
    for row, facts in zip(seen.rows, seen.facts, strict=True):
        for note in facts.notes:
            notes[note].append(row.path)
    found = find_groups(seen.embeddings, seen.rows) if seen.rows else []
    groups = [row.group or group for row, group in zip(seen.rows, found, strict=True)]
    names = [row.label for row in seen.rows]
    return Audit(
        classes={label: _class_facts(seen, label) for label in labels},
        left_out=seen.left_out,
        notes={note: tuple(paths) for note, paths in sorted(notes.items())},
        alike=find_alike(seen),
        groups={row.path: group for row, group in zip(seen.rows, groups, strict=True)},
        suspects=find_suspects(seen, groups),
        background=measure_background(seen.corners, names, groups) if len(set(names)) > 1 else None,
    )


def _class_facts(seen: Seen, label: str) -> ClassFacts:
    facts = [one for row, one in zip(seen.rows, seen.facts, strict=True) if row.label == label]
    if not facts:
        return ClassFacts(0, 0, 0)
    return ClassFacts(
        len(facts), int(median(one.width_px for one in facts)), int(median(one.height_px for one in facts))
    )


def find_alike(seen: Seen) -> tuple[Alike, ...]:
    """Identical and nearly identical pictures, of one class or of several; conflicts come first."""
    if not seen.rows:
        return ()
    _, digests = np.unique(seen.digests, return_inverse=True)

    def look_alike(rows: slice) -> NDArray[np.bool_]:
        layouts, contents = seen.layouts[rows] @ seen.layouts.T, seen.embeddings[rows] @ seen.embeddings.T
        near = (layouts > _SAME_LAYOUT) & (contents > _SAME_CONTENT) | (layouts > _SAVED_AGAIN)
        return np.asarray(near | (digests[rows, None] == digests), np.bool_)

    parts = connected(len(digests), look_alike)
    found = []
    for part, count in Counter(parts.tolist()).items():
        if count > 1:
            indices = np.flatnonzero(parts == part)
            rows = [seen.rows[index] for index in indices]
            labels = tuple(sorted({row.label for row in rows}))
            splits = tuple(sorted({row.split for row in rows}))
            is_identical = len(np.unique(digests[indices])) == 1
            found.append(Alike(tuple(row.path for row in rows), is_identical, labels, splits))
    return tuple(sorted(found, key=lambda one: (not one.has_conflict, not one.leaks, not one.is_identical, one.paths)))


def find_suspects(seen: Seen, groups: Sequence[str]) -> tuple[Suspect, ...]:
    """Pictures whose nearest neighbors, of other groups, nearly all belong to one other class.

    One whose class has fewer pictures in other groups than it takes neighbors to agree is not judged: they could
    not vouch for it.
    """
    objects = objects_of(groups)
    names, labels = np.unique([row.label for row in seen.rows], return_inverse=True)
    suspects = []
    for rows in blocks(len(objects)):
        is_other = objects[rows, None] != objects
        nearest = nearest_in(np.where(is_other, seen.embeddings[rows] @ seen.embeddings.T, -np.inf), _NEIGHBORS)
        num_vouching = (is_other & (labels[rows, None] == labels)).sum(axis=1)
        for index, neighbors, vouching in zip(range(rows.start, rows.stop), nearest, num_vouching, strict=False):
            (looks_like, agreeing), *_ = Counter(labels[neighbors].tolist()).most_common()
            if vouching >= _AGREEING and looks_like != labels[index] and agreeing >= _AGREEING:
                row = seen.rows[index]
                suspects.append(Suspect(row.path, row.label, str(names[looks_like]), agreeing))
    return tuple(sorted(suspects, key=lambda one: (-one.agreeing, one.path)))


def write_groups(audit: Audit, path: Path) -> None:
    """Write the groups as a groups.csv without splits; pictures that were left out need no line in it.

    Raises:
        AccessDeniedError, StorageError: it cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(SPLIT_FIELDS)
    writer.writerows((name, PurePosixPath(name).parent.as_posix(), group, "") for name, group in audit.groups.items())
    with whole_file(path) as unfinished:
        unfinished.write_text(text.getvalue(), encoding="utf-8")
