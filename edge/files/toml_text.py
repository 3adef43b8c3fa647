"""TOML, written: the standard library only reads it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

Scalar = str | bool | int | float | datetime
Value = Scalar | Sequence["Value"] | Mapping[str, "Value | None"]

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def to_toml(table: Mapping[str, Value | None]) -> str:
    """The text of a table; a key whose value is None becomes a comment.

    >>> print(to_toml({"schema": 1, "name": None, "camera": {"rate_hz": 30.0, "controls": {"gain": 4.0}}}), end="")
    schema = 1
    # name is not set
    <BLANKLINE>
    [camera]
    rate_hz = 30.0
    <BLANKLINE>
    [camera.controls]
    gain = 4.0
    """
    return "\n".join(_lines(table, ())).lstrip("\n") + "\n"


def _lines(table: Mapping[str, Value | None], place: tuple[str, ...]) -> Iterator[str]:
    below = {key: value for key, value in table.items() if isinstance(value, Mapping)}
    if place and (len(below) < len(table) or not table):
        yield ""
        yield f"[{'.'.join(map(_key, place))}]"
    for key, value in table.items():
        if key not in below:
            yield f"# {_key(key)} is not set" if value is None else f"{_key(key)} = {to_toml_value(value)}"
    for key, inner in below.items():
        yield from _lines(inner, (*place, key))


def to_toml_value(value: Value) -> str:
    r"""The text of one value, on one line, as it stands behind `key = `.

    >>> print(to_toml_value(["glass", 'a "b"', {"pin": 17}]))
    ["glass", "a \"b\"", {pin = 17}]
    """
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return _quoted(value)
        case datetime():
            return value.isoformat()
        case int() | float():
            return repr(value)
        case Mapping():
            pairs = (f"{_key(key)} = {to_toml_value(inner)}" for key, inner in value.items() if inner is not None)
            return f"{{{', '.join(pairs)}}}"
        case _:
            return f"[{', '.join(map(to_toml_value, value))}]"


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _quoted(key)


def _quoted(text: str) -> str:
    # JSON's escapes are TOML's, but for this one character, which JSON leaves as it is.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
