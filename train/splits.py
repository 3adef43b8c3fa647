"""Which pictures are trained on and which are held out: stratified by class, drawn by the seed alone."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edge.data_folder import Dataset
from edge.errors import DatasetError
from edge.listing import counted, some_of
from edge.run import TEST_SPLIT, TRAIN_SPLIT, VAL_SPLIT, SplitRow
from train.recipes import Data

_FEW = 10  # pictures of a class to train on: a network of 2,000 others and three of it never answered it


@dataclass(frozen=True, slots=True)
class Fold:
    """Part `number`, from 1, of `num_folds` equal parts: this one is held out, the others are trained on."""

    number: int
    num_folds: int


def with_splits(dataset: Dataset, settings: Data, seed: int, fold: Fold | None = None) -> Dataset:
    """The data with every picture in train, val or test.

    As `groups.csv` says where it does; else drawn, stratified, never dividing a group unless `split` is `random`. Folds
    divide all but the test part, which is for one last look.

    Raises:
        DatasetError: fewer than two classes, a class that a split would be without, or one with fewer objects than
            there are folds.
    """
    if len(dataset.labels) < 2:
        raise DatasetError(f"{dataset.root}: expected at least two classes, found only {dataset.labels[0]}")
    if settings.split == "random" or not dataset.has_splits:
        dataset = _assign(dataset, _draw(dataset, settings, seed))
    if fold is not None:
        divided = replace(dataset, rows=tuple(row for row in dataset.rows if row.split != TEST_SPLIT))
        _check_folds(divided, settings, fold.num_folds)
        tested = dict.fromkeys((row.path for row in dataset.of(TEST_SPLIT)), TEST_SPLIT)
        dataset = _assign(dataset, {**tested, **_folds(divided, settings, seed, fold)})
    _check(dataset)
    return dataset


def check_unseen(rows: Sequence[SplitRow], other: Path, other_rows: Sequence[SplitRow]) -> None:
    """Refuse the run `other` where it was trained on what `rows` hold out: what learns from it could not be judged.

    Raises:
        DatasetError: it was.
    """
    judged = {row.path for row in rows if row.split != TRAIN_SPLIT}
    seen = sorted(judged & {row.path for row in other_rows if row.split == TRAIN_SPLIT})
    if seen:
        raise DatasetError(
            f"{other} was trained on {counted(len(seen), 'picture')} held out here, by name ({seen[0]}, ...), and"
            " what came of it could not be judged: train on the same splits (groups.csv, or the same --seed and shares)"
        )


def leak(dataset: Dataset) -> float:
    """The share of held-out pictures that show an object, or a look-alike, that training sees too."""
    trained = {row.group for row in dataset.of(TRAIN_SPLIT) if row.group}
    held_out = [row for row in dataset.rows if row.split != TRAIN_SPLIT]
    return sum(row.group in trained for row in held_out) / max(1, len(held_out))


def rarely_shown(dataset: Dataset) -> tuple[str, ...]:
    """The classes of which too little is trained on to be learned, each with its number of pictures."""
    counts = Counter(row.label for row in dataset.of(TRAIN_SPLIT))
    return tuple(f"{label} ({counts[label]})" for label in dataset.labels if counts[label] < _FEW)


def _key(row: SplitRow, settings: Data) -> str:
    return row.path if settings.split == "random" else row.group or row.path


def _assign(dataset: Dataset, splits: Mapping[str, str]) -> Dataset:
    return replace(dataset, rows=tuple(replace(row, split=splits.get(row.path, TRAIN_SPLIT)) for row in dataset.rows))


def _draw(dataset: Dataset, settings: Data, seed: int) -> dict[str, str]:
    rng = np.random.default_rng(seed)
    splits: dict[str, str] = {}
    # Without a test part the draw is the one it always was, so that old runs can be done again.
    for split, share in ((VAL_SPLIT, settings.val_share), (TEST_SPLIT, settings.test_share)):
        if share:
            left = [row for row in dataset.rows if row.path not in splits]
            wanted = Counter(row.label for row in dataset.rows)
            chosen = _draw_groups(left, settings, {key: max(1, round(share * n)) for key, n in wanted.items()}, rng)
            splits |= {row.path: split for row in left if _key(row, settings) in chosen}
    return splits


def _draw_groups(
    rows: Sequence[SplitRow], settings: Data, wanted: dict[str, int], rng: np.random.Generator
) -> set[str]:
    """Groups in random order while their class is short of the number wanted; of a class with larger ones the least."""
    members = _members(rows, settings)
    names = sorted(members)
    shuffled = {
        names[index]: Counter(row.label for row in members[names[index]]) for index in rng.permutation(len(names))
    }
    drawn: set[str] = set()
    for name, labels in shuffled.items():
        if all(wanted[label] >= count for label, count in labels.items()):
            wanted = {label: left - labels[label] for label, left in wanted.items()}
            drawn.add(name)
    for label in wanted:
        own = [name for name, labels in shuffled.items() if label in labels]
        if len(own) > 1 and drawn.isdisjoint(own):
            drawn.add(min(own, key=lambda name: len(members[name])))
    return drawn


def _members(rows: Sequence[SplitRow], settings: Data) -> dict[str, list[SplitRow]]:
    members: defaultdict[str, list[SplitRow]] = defaultdict(list)
    for row in rows:
        members[_key(row, settings)].append(row)
    return members


def _folds(dataset: Dataset, settings: Data, seed: int, fold: Fold) -> dict[str, str]:
    """Groups, large ones first and else in random order, each to the fold that lacks its classes most."""
    rng = np.random.default_rng(seed)
    members = _members(dataset.rows, settings)
    names = sorted(members)
    shuffled = [names[index] for index in rng.permutation(len(names))]
    counts: list[Counter[str]] = [Counter() for _ in range(fold.num_folds)]
    held_out: dict[str, str] = {}
    for name in sorted(shuffled, key=lambda name: -len(members[name])):
        labels = Counter(row.label for row in members[name])
        emptiest = min(range(fold.num_folds), key=lambda index: sum(counts[index][label] for label in labels))
        counts[emptiest] += labels
        if emptiest == fold.number - 1:
            held_out |= {row.path: VAL_SPLIT for row in members[name]}
    return held_out


def _check_folds(dataset: Dataset, settings: Data, num_folds: int) -> None:
    objects = {
        label: len({_key(row, settings) for row in dataset.rows if row.label == label}) for label in dataset.labels
    }
    rarest = min(objects, key=objects.__getitem__)
    if (fitting := objects[rarest]) < num_folds:
        advice = f"give at most --folds {fitting}, or add pictures" if fitting > 1 else "add pictures of others"
        raise DatasetError(
            f"{dataset.root}: {num_folds} folds need as many different objects of every class, but of {rarest} there"
            f" {'is' if fitting == 1 else 'are'} only {fitting}: {advice}"
        )


def _check(dataset: Dataset) -> None:
    has_test = any(row.split == TEST_SPLIT for row in dataset.rows)
    for split in (TRAIN_SPLIT, VAL_SPLIT, *([TEST_SPLIT] if has_test else [])):
        if missing := sorted(set(dataset.labels) - {row.label for row in dataset.of(split)}):
            raise DatasetError(
                f"{dataset.root}: no pictures of {some_of(missing)} in the {split} split:"
                " expected a few pictures of different objects a class"
            )
