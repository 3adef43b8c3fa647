"""On which line of a TOML file each key stands; `tomllib` does not say."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping

Place = tuple[str, ...]

_TABLE = re.compile(r"\s*\[{1,2}(?P<keys>[^\[\]]+)\]{1,2}\s*(#.*)?$")
_KEY = re.compile(r"\s*(?P<keys>[\w.\"' -]+?)\s*=")


def lines_of(text: str) -> Mapping[Place, int]:
    r"""The line, from 1, of every table and key of a valid TOML text, as far as it can be told by reading lines.

    What stands inside an inline table has the line of that table's key. A line of a multi-line string may
    add a place that does not exist.

    >>> lines_of('[mqtt]\nhost = "a"\n\n[bins.dry]\nlabels = []\n')[("bins", "dry", "labels")]
    5
    """
    lines: dict[Place, int] = {}
    table: Place = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if found := _TABLE.match(line):
            place = table = _keys(found["keys"])
        elif found := _KEY.match(line):
            place = (*table, *_keys(found["keys"]))
        else:
            continue
        for end in range(1, len(place) + 1):
            lines.setdefault(place[:end], number)
    return lines


def _keys(dotted: str) -> Place:
    """The parts of a dotted key, quotes taken off."""
    try:
        nested: object = tomllib.loads(f"{dotted} = 0")
    except tomllib.TOMLDecodeError:
        return (dotted,)
    keys: list[str] = []
    while isinstance(nested, dict):
        ((key, nested),) = nested.items()
        keys.append(key)
    return tuple(keys)
