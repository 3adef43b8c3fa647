"""Names in a sentence, of which there may be a thousand."""

from __future__ import annotations

from collections.abc import Sequence

_MOST = 12  # two lines of a terminal


def some_of(names: Sequence[str], most: int = _MOST) -> str:
    """The names with commas between them; of more than `most` the first ones, and how many more there are.

    >>> some_of(["glass", "metal", "paper"], most=2)
    'glass, metal and 1 more'
    """
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
