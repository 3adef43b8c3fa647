"""Names and numbers in a sentence, and names in a column: there may be a thousand of them, in any script."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

_MOST = 12  # two lines of a terminal


def some_of(names: Sequence[str], most: int = _MOST) -> str:
    """The names with commas between them; of more than `most` the first ones, and how many more there are.

    >>> some_of(["glass", "metal", "paper"], most=2)
    'glass, metal and 1 more'
    """
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def counted(number: int, one: str) -> str:
    """So many of what a single one is called.

    >>> counted(1, "picture"), counted(12, "picture")
    ('1 picture', '12 pictures')
    """
    return f"{number} {one}" if number == 1 else f"{number} {one}s"


def columns_of(text: str) -> int:
    """How many columns of a terminal a text takes: signs of Chinese, Japanese and Korean take two, accents none.

    >>> columns_of("玻璃瓶"), columns_of("can")
    (6, 3)
    """
    return sum(
        0 if unicodedata.category(sign) in {"Mn", "Me", "Cf"} else 1 + (unicodedata.east_asian_width(sign) in "WF")
        for sign in text
    )


def padded(text: str, num_columns: int) -> str:
    """The text with spaces behind it, until it takes so many columns of a terminal."""
    return text + " " * (num_columns - columns_of(text))
