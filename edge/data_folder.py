"""The data folder: one subfolder of pictures for each class, and an optional `groups.csv` beside them.

<class>/*.jpg   also .jpeg .jfif .png .webp .bmp; names that begin with a dot are ignored; see `edge.class_names`
groups.csv      path,label,group,split: `path` relative to the folder, `label` the subfolder's name; pictures of one
                `group` show the same object (empty: a group of its own); `split` is train, val or test in every
                line, or in none. It lists every picture that can be read, so that none slips between the splits unseen.
                Commas, semicolons or tabs part the columns, as spreadsheets do.
"""

from __future__ import annotations

import csv
import hashlib
import os
import shlex
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from edge.class_names import class_name
from edge.errors import DatasetError, MissingInputError, PictureError, UsageError
from edge.files.picture_headers import examine
from edge.listing import counted, some_of
from edge.preprocess import PICTURE_SUFFIXES, Image, load_picture
from edge.run import TEST_SPLIT, TRAIN_SPLIT, VAL_SPLIT, SplitRow

GROUPS_FILE = "groups.csv"
# What telephones, scanners and better cameras keep, and is not read here.
_FOREIGN_SUFFIXES = frozenset(
    {".heic", ".heif", ".avif", ".gif", ".tif", ".tiff", ".jp2", ".jxl", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf"}
)
_VIDEO_SUFFIXES = frozenset({".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".3gp"})
_SPLITS = (TRAIN_SPLIT, VAL_SPLIT, TEST_SPLIT)
_MOST_NAMED = 12  # of what is left out, before it is only counted
_READ_THREADS = 2  # decoding is all that is waited for, and training machines as small as two cores count


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A picture, or a folder of them, that is not used, and why."""

    path: str
    reason: str

    def __str__(self) -> str:
        return self.reason if self.path in self.reason else f"{self.path}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Dataset:
    """Pictures by class; `rows` sorted by path, their `split` empty until training draws one.

    `left_out` is what lies there and cannot be used, as far as anybody looked.
    """

    root: Path
    labels: tuple[str, ...]
    rows: tuple[SplitRow, ...]
    left_out: tuple[LeftOut, ...] = ()

    @property
    def has_splits(self) -> bool:
        """Whether every picture belongs to a split."""
        return all(row.split for row in self.rows)

    def of(self, split: str) -> tuple[SplitRow, ...]:
        """The pictures of one split."""
        return tuple(row for row in self.rows if row.split == split)

    def path(self, row: SplitRow) -> Path:
        """Where the picture lies."""
        return self.root / row.path


def scan(root: Path) -> Dataset:
    """The classes and pictures of a data folder, without opening one but those that a `groups.csv` does not list.

    Raises:
        MissingInputError: there is no such folder.
        DatasetError: no classes, a class without pictures or with a name that cannot be one, two whose names differ
            by case alone, or a `groups.csv` that contradicts the folders.
    """
    if not root.is_dir():
        raise MissingInputError(f"no data folder at {root}: expected a folder with one subfolder of pictures a class")
    folders = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not folders:
        raise DatasetError(f"{root} has no classes: expected one subfolder of pictures a class, found none")
    pictures = {folder: picture_names(folder) for folder in folders}
    unused = {folder: unused_in(folder) for folder in folders}
    if empty := [folder for folder, names in pictures.items() if not names]:
        raise DatasetError(_without_pictures(root, empty, [one for folder in empty for one in unused[folder]]))
    label_of = {folder: _class_of(folder) for folder in folders}
    _refuse_alike(root, set(label_of.values()))
    rows = [
        SplitRow(f"{folder.name}/{name}", label_of[folder], "", "") for folder in folders for name in pictures[folder]
    ]
    dataset = Dataset(
        root,
        tuple(dict.fromkeys(label_of.values())),
        tuple(sorted(rows, key=lambda row: row.path)),
        tuple(one for found in unused.values() for one in found),
    )
    return _with_groups(dataset, root / GROUPS_FILE) if (root / GROUPS_FILE).exists() else dataset


def labelled_pictures(
    dataset: Dataset,
    rows: Sequence[SplitRow],
    labels: Sequence[str],
    left_out: list[LeftOut],
    progress: Callable[[Sequence[SplitRow]], Iterable[SplitRow]],
) -> Iterator[tuple[SplitRow, int, Image]]:
    """Each picture of `rows` that can be read, with the index of its class in `labels`; others go to `left_out`.

    Raises:
        DatasetError: classes that are not among `labels`; before the first picture is read.
    """
    if strangers := sorted({row.label for row in rows} - set(labels)):
        raise DatasetError(
            f"{dataset.root}: the model does not know {some_of(strangers)}: expected folders named after its classes"
            f" {some_of(labels)}; `sorter teach` teaches it new ones"
        )
    for row in progress(rows):
        image = _load_whole(dataset.path(row))
        if isinstance(image, str):
            left_out.append(LeftOut(row.path, image))
        else:
            yield row, labels.index(row.label), image


def in_words(left_out: Sequence[LeftOut], most: int = _MOST_NAMED) -> list[str]:
    """A line for each that is left out; of more than `most` the first ones, and how many more there are."""
    lines = [str(one) for one in left_out[:most]]
    return lines if len(left_out) <= most else [*lines, f"and {len(left_out) - most} more"]


def unused_in(folder: Path) -> list[LeftOut]:
    """What in the folder of a class is not used and looks as if it should be: folders, and pictures of other kinds.

    Pictures whose names are no text, too.
    """
    found: list[LeftOut] = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        name = f"{folder.name}/{_as_text(path.name)}"
        if path.name.startswith("."):
            continue
        if path.suffix.lower() in PICTURE_SUFFIXES and not _is_text(path.name):
            found.append(LeftOut(name, "its name is not written in UTF-8, as an old archive's may be: rename it"))
        elif path.is_dir() and any(inner.suffix.lower() in PICTURE_SUFFIXES for inner in path.rglob("*")):
            found.append(LeftOut(name, "a folder within a class is not looked into: put its pictures beside it"))
        elif path.suffix.lower() in _FOREIGN_SUFFIXES:
            how = "save it as JPEG (`heif-convert`, an image viewer, or a telephone's own setting)"
            found.append(LeftOut(name, f"{path.suffix} cannot be read: {how}"))
        elif path.suffix.lower() in _VIDEO_SUFFIXES:
            how = f"`ffmpeg -i {shlex.quote(path.name)} -r 1 %04d.jpg` makes one a second of it"
            found.append(LeftOut(name, f"a video is not looked into for pictures: {how}"))
    return found


def _without_pictures(root: Path, empty: Sequence[Path], unused: Sequence[LeftOut]) -> str:
    """What to do about folders without pictures of their own: some data sets come in parts, each with all classes."""
    names = some_of([folder.name for folder in empty])
    if part := max((inner for folder in empty for inner in _classes_within(folder)), default=None):
        return (
            f"{root}: no pictures in {names}, but in folders within: if those are the classes, as in data sets that"
            f" come in parts, give the largest part, {part[1]}: training holds pictures back itself, and"
            " `sorter evaluate` takes the others"
        )
    found = ", ".join(in_words(unused, most=1))
    return (
        f"{root}: no pictures in class {names}: expected {' '.join(sorted(PICTURE_SUFFIXES))}, found {found or 'none'};"
        " add some or remove the folder"
    )


def _classes_within(folder: Path) -> Iterator[tuple[int, Path]]:
    """The folders here, or further within, of which each subfolder has pictures: how many in all, and which it is."""
    inner = [path for path in sorted(folder.iterdir()) if path.is_dir() and not path.name.startswith(".")]
    counts = [len(picture_names(path)) for path in inner]
    if len(inner) > 1 and all(counts):
        yield sum(counts), folder
    for path in inner:
        yield from _classes_within(path)


def _class_of(folder: Path) -> str:
    try:
        return class_name(folder.name)
    except UsageError as error:
        raise DatasetError(f"{folder.parent}: {error}; rename the folder") from None


def _refuse_alike(root: Path, labels: set[str]) -> None:
    """Nobody means two classes whose names differ by case alone, and no network tells their pictures apart."""
    by_letters: defaultdict[str, list[str]] = defaultdict(list)
    for label in sorted(labels):
        by_letters[label.casefold()].append(label)
    for alike in by_letters.values():
        if len(alike) > 1:
            raise DatasetError(
                f"{root}: the classes {' and '.join(alike)} differ by case alone: put the pictures of one class into"
                " one folder, or give them names that differ"
            )


def picture_names(folder: Path) -> list[str]:
    """The pictures in the folder of a class, sorted; whether they can be read is not looked at."""
    return sorted(
        path.name
        for path in folder.iterdir()
        if path.suffix.lower() in PICTURE_SUFFIXES
        and not path.name.startswith(".")
        and _is_text(path.name)
        and not path.is_dir()
    )


def _is_text(name: str) -> bool:
    """Whether the bytes of a file's name are UTF-8: others cannot be written into a list of files."""
    return _as_text(name) == name


def _as_text(name: str) -> str:
    return os.fsencode(name).decode(errors="replace")


def _with_groups(dataset: Dataset, path: Path) -> Dataset:
    """The pictures with group and split as the file gives them; it need not list what cannot be read."""
    label_of = {row.path: row.label for row in dataset.rows}
    written = {_composed(name): name for name in label_of}  # a Mac's file names have ü as a letter and its dots
    listed = {
        name if name in label_of else written.get(_composed(name), name): row
        for name, row in _read_groups(path).items()
    }
    if missing := sorted(set(listed) - set(label_of)):
        raise DatasetError(
            f"{path} lists {counted(len(missing), 'picture')} not there, such as {missing[0]}: put back what it lists,"
            " or remove the lines"
        )
    unlisted = sorted(set(label_of) - set(listed))
    left_out: list[LeftOut] = []
    for name in unlisted:
        if (problem := why_unreadable(dataset.root / name)) is None:
            raise DatasetError(
                f"{path} does not list {counted(len(unlisted), 'picture')}, such as {name}: add what is missing, or"
                " remove the file"
            )
        left_out.append(LeftOut(name, problem))
    _check_groups(listed.values(), path)
    rows = [replace(listed[name], path=name, label=label_of[name]) for name in sorted(listed)]
    return replace(dataset, rows=tuple(rows), left_out=(*dataset.left_out, *left_out))


def _read_groups(path: Path) -> dict[str, SplitRow]:
    lines: list[tuple[int, dict[str, str]]] = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:  # Excel begins its own with a byte order mark
            delimiter = max(",;\t", key=file.readline().count)
            file.seek(0)
            reader = csv.DictReader(file, strict=True, delimiter=delimiter, skipinitialspace=True)
            columns = tuple(reader.fieldnames or ())
            lines.extend((reader.line_num, line) for line in reader if any(line.values()))
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path} is not written in UTF-8: save it again as such (in Excel: CSV UTF-8)") from error
    except csv.Error as error:
        whole = f"line {lines[-1][0]}" if lines else "its first line"
        raise DatasetError(f"{path}: {error} after {whole}: close the quote there") from error
    if not {"path", "label"} <= set(columns):
        raise DatasetError(f"{path}: expected the columns path,label,group,split, found {','.join(columns) or 'none'}")
    rows: dict[str, SplitRow] = {}
    for number, line in lines:
        row = SplitRow(_slashed(line["path"] or ""), *(line.get(key) or "" for key in ("label", "group", "split")))
        if problem := _problem(row, rows):
            raise DatasetError(f"{path}:{number}: {problem}")
        rows[row.path] = row
    return rows


def _slashed(path: str) -> str:
    r"""The path as this folder's pictures are named: Windows writes glass\1.jpg, and shells ./glass/1.jpg."""
    return path and PurePosixPath(path.replace("\\", "/")).as_posix()


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _problem(row: SplitRow, before: Mapping[str, SplitRow]) -> str | None:
    folder = PurePosixPath(row.path).parent.as_posix()
    if _composed(row.label) != _composed(folder):
        return f"{row.path or 'a line without path'}: label {row.label!r} contradicts the folder {folder!r}"
    if row.split not in ("", *_SPLITS):
        return f"{row.path}: expected split train, val or test, found {row.split!r}"
    if row.path in before:
        return f"{row.path} is listed twice"
    return None


def _check_groups(rows: Iterable[SplitRow], path: Path) -> None:
    splits: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows:
        splits[row.group or row.path].add(row.split)
    if "" in (given := set().union(*splits.values())) and len(given) > 1:
        raise DatasetError(f"{path}: some lines have a split and some have none: expected all or none")
    if divided := sorted(group for group, found in splits.items() if len(found) > 1):
        found = " and in ".join(sorted(splits[divided[0]]))
        raise DatasetError(f"{path}: group {divided[0]} is in {found}: one object must stay in one split")


def leave_out_unreadable(
    dataset: Dataset, progress: Callable[[Sequence[SplitRow]], Iterable[SplitRow]] = iter
) -> Dataset:
    """The data without the pictures that cannot be decoded, or not as a whole; those are listed in `left_out`.

    Raises:
        DatasetError: a class has no readable picture.
    """
    with ThreadPoolExecutor(_READ_THREADS, "examine") as pool:
        problems = pool.map(lambda row: why_unreadable(dataset.path(row)), dataset.rows)
        checked = list(zip(progress(dataset.rows), problems, strict=True))
    kept = tuple(row for row, problem in checked if problem is None)
    left_out = tuple(LeftOut(row.path, problem) for row, problem in checked if problem is not None)
    if gone := sorted(set(dataset.labels) - {row.label for row in kept}):
        raise DatasetError(f"{dataset.root}: no readable picture in class {some_of(gone)}: all are damaged")
    return replace(dataset, rows=kept, left_out=dataset.left_out + left_out)


def why_unreadable(path: Path) -> str | None:
    """Why a file is not used as a picture; None where it can be decoded, and as a whole."""
    found = _load_whole(path)
    return found if isinstance(found, str) else None


def _load_whole(path: Path) -> Image | str:
    """The picture, or why it is not used: OpenCV by itself decodes half a JPEG without a word."""
    try:
        defect = examine(path).defect
        return load_picture(path) if defect is None else defect
    except (PictureError, MissingInputError) as error:
        return str(error)
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def fingerprint(dataset: Dataset) -> str:
    """The sha256 of what was trained on: paths, labels, splits and the bytes of every picture."""
    total = hashlib.sha256()
    for row in dataset.rows:
        digest = hashlib.sha256(dataset.path(row).read_bytes()).hexdigest()
        total.update(f"{row.path}\t{row.label}\t{row.group}\t{row.split}\t{digest}\n".encode())
    return total.hexdigest()
