"""Label files of classifiers from elsewhere."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from edge.class_names import class_name
from edge.errors import InvalidDataError, MissingInputError, UsageError


def read_labels(path: Path) -> tuple[str, ...]:
    """One class a line, in the order of the model's output.

    Raises:
        MissingInputError: there is no such file.
        InvalidDataError: it is not text, has fewer than two lines, or one that cannot be the name of a class.
    """
    if not path.is_file():
        raise MissingInputError(f"no label file at {path}: expected one class a line, in the order of the output")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidDataError(f"{path} is not UTF-8 text: expected one class a line") from None
    return parse_labels(text, path)


def parse_labels(text: str, origin: Path) -> tuple[str, ...]:
    r"""The labels in `text`; `origin` only names it in errors.

    Numbers that only count the lines, as Teachable Machine writes them, are dropped; names that occur
    twice, as in ImageNet, get a number, since a label must name one class; also those that differ by case alone, which
    no data folder may hold both.

    >>> parse_labels("0 can\n1 cup\n", Path("labels.txt"))
    ('can', 'cup')
    >>> parse_labels("crane\ncup\ncrane\n", Path("labels.txt"))
    ('crane', 'cup', 'crane (2)')
    >>> parse_labels("Cardigan\ncardigan\n", Path("labels.txt"))
    ('Cardigan', 'cardigan (2)')
    """
    lines = [line.strip() for line in text.strip().splitlines()]
    if len(lines) < 2 or not all(lines):
        raise InvalidDataError(f"{origin}: expected at least two classes, one a line and none empty")
    numbered = [re.fullmatch(r"(\d+)[\s,:]+(.+)", line) for line in lines]
    if all(match and int(match[1]) == index for index, match in enumerate(numbered)):
        lines = [match[2] for match in numbered if match]
    try:
        return tuple(_distinct([class_name(line) for line in lines]))
    except UsageError as error:
        raise InvalidDataError(f"{origin}: {error}") from None


def _distinct(labels: list[str]) -> list[str]:
    seen: Counter[str] = Counter()
    distinct = []
    for label in labels:
        seen[label.casefold()] += 1
        number = seen[label.casefold()]
        distinct.append(label if number == 1 else f"{label} ({number})")
    return distinct
