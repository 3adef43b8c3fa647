"""On which line of a TOML file each key stands, and what is wrong there; `tomllib` says little of it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping

Place = tuple[str, ...]

_TABLE = re.compile(r"\s*\[{1,2}(?P<keys>[^\[\]]+)\]{1,2}\s*(#.*)?$")
_KEY = re.compile(r"\s*(?P<keys>[\w.\"' -]+?)\s*=")

# What `tomllib` says of a line that is no TOML, and what stands in it; and what was meant.
_USUAL = {
    r"[\u2018-\u201f\u00ab\u00bb]": 'straight quotation marks are expected, "…"',  # word processors bend them
    r"^Illegal character '.n'": "a text ends with its quotation mark, on the same line",
    r"\\": "within \"…\" a backslash stands twice, within '…' once",
    "^Cannot overwrite": "it is set a second time",
    "^Cannot declare": "it is described a second time: put all of it in one place",
    r"^Invalid initial .*\{": "what stands in { } is one line, without a comma before the }",
    r"^Invalid value.*= *(True|False|yes|no|on|off)\b": "expected true or false",
    "^Invalid value": "a text stands in quotation marks",
    r"^Expected newline.*\d,\d": "a decimal number has a point",
    "^Expected '='": "between a key and its value stands =",
}


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


def what_is_wrong(text: str, error: tomllib.TOMLDecodeError) -> str:
    r"""Where a text is no TOML, and what to do where that is one of the usual mistakes. The line may hold a password.

    >>> text = 'path = "C:\\Users\\me"'
    >>> try:
    ...     tomllib.loads(text)
    ... except tomllib.TOMLDecodeError as error:
    ...     print(what_is_wrong(text, error))
    :1: is not valid TOML: Invalid hex value (column 13); within "…" a backslash stands twice, within '…' once
    """
    said, _, place = str(error).removesuffix(")").partition(" (at ")
    lines = text.splitlines() or [""]
    number, _, column = place.removeprefix("line ").partition(", ")
    if not column:  # at the end of the document
        number, column = str(len(lines)), "its end"
    found = f"{said}: {lines[int(number) - 1]}"
    hint = next((f"; {hint}" for pattern, hint in _USUAL.items() if re.search(pattern, found)), "")
    return f":{number}: is not valid TOML: {said} ({column}){hint}"


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
