"""What a change of the site would do, line by line, in the words of the site file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from edge.deciding.rules import NEVER, threshold_text
from edge.site import SiteDescription

# When a step was done follows from doing it, counts were told with it, and file names are for the machine.
_UNSAID = frozenset({"made_at", "picture", "variation", "head", "examples", "judged"})
_NUM_DIGITS = 8  # of a bundle's digest, as everywhere


def differences(before: SiteDescription, after: SiteDescription) -> list[str]:
    """A line for each setting that differs, such as `temperature.value: 1.2 -> 0.9`."""
    old, new = (
        dict(_settings(before.model_dump(exclude_defaults=True))),
        dict(_settings(after.model_dump(exclude_defaults=True))),
    )
    names = [*new, *(name for name in old if name not in new)]
    return [
        f"{name}: {old.get(name, 'not set')} -> {new.get(name, 'not set')}"
        for name in names
        if old.get(name) != new.get(name)
    ]


def _settings(table: Mapping[str, object], place: str = "") -> Iterator[tuple[str, str]]:
    for key, value in table.items():
        name = f"{place}.{key}" if place else key
        if isinstance(value, Mapping):
            yield from _settings(value, name)
        elif key not in _UNSAID and not key.startswith("num_"):
            yield name, _text_of(key, value)


def _text_of(key: str, value: object) -> str:
    match key, value:
        case "bundle", str():
            return value[:_NUM_DIGITS]
        case "min_confidence", float() if value >= NEVER:
            return threshold_text(value)
        case _:
            return _text(value)


def _text(value: object) -> str:
    match value:
        case bool() | int():
            return str(value)
        case float():
            return f"{value:.4g}"
        case datetime():
            return f"{value:%Y-%m-%d %H:%M}"
        case tuple() | list():
            return ", ".join(map(str, value))
        case _:
            return str(value)
