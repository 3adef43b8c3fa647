"""What is wrong with a configuration, in an owner's words: place, value, and what is allowed instead."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError

from edge.config.sections import Config

# The names of union members, which pydantic puts into an error's place although no file holds them.
_TAGS = frozenset({"usb", "csi", "stream", "replay", "simulated", "log", "gpio"})


def explain(invalid: ValidationError, origins: Mapping[tuple[str, ...], str], default_origin: str) -> str:
    """One line for each mistake; `origins` says which file, variable or flag a place came from."""
    lines = []
    for error in invalid.errors(include_url=False):
        place = _written_place(error["loc"], origins)
        origin = next(
            (origins[place[:end]] for end in range(len(place), 0, -1) if place[:end] in origins), default_origin
        )
        lines.append(f"{origin}: {'.'.join(place) or 'the whole'}{_complaint(error['type'], error, place)}")
    return "\n".join(lines)


def _written_place(loc: tuple[int | str, ...], origins: Mapping[tuple[str, ...], str]) -> tuple[str, ...]:
    """The error's place as the owner wrote it: pydantic adds the tag of a chosen union member."""
    place: tuple[str, ...] = ()
    for index, part in enumerate(map(str, loc)):
        is_tag = part in _TAGS and (*place, part) not in origins and index > 0
        place = place if is_tag else (*place, part)
    return place


def _complaint(kind: str, error: Any, place: tuple[str, ...]) -> str:
    if kind in ("extra_forbidden", "unexpected_keyword_argument"):
        allowed = _allowed_keys(place[:-1])
        near = get_close_matches(place[-1], allowed, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        return f" = {error['input']!r} is not a setting{hint} (allowed: {', '.join(allowed)})"
    if kind == "union_tag_not_found":
        key = error["ctx"]["discriminator"].strip("'")
        return f".{key} is missing: say which one is meant ({', '.join(_choices(place, key))})"
    if kind == "missing":
        return " is missing"
    found = "" if isinstance(error["input"], dict | BaseModel) else f" = {error['input']!r}"
    return f"{found}: {error['msg'].removeprefix('Value error, ')}"


def _allowed_keys(place: tuple[str, ...]) -> list[str]:
    """The keys that a section may have, read from the schema; of all variants where there are several."""
    return sorted({key for node in _nodes(place) for key in node.get("properties", {})})


def _choices(place: tuple[str, ...], key: str) -> list[str]:
    """The values that tell the variants of a section apart."""
    return [str(node["properties"][key]["const"]) for node in _nodes(place) if key in node.get("properties", {})]


def _nodes(place: tuple[str, ...]) -> list[dict[str, Any]]:
    """The schema of the section at `place`; several where it has variants."""
    schema = Config.model_json_schema()
    found = [schema]
    for part in place:
        found = [child for node in found for child in _children(node, part, schema)]
    return found


def _children(node: Mapping[str, Any], part: str, schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    child = node.get("properties", {}).get(part) or node.get("additionalProperties") or _of_pattern(node)
    return _variants(child, schema) if isinstance(child, dict) else []


def _of_pattern(node: Mapping[str, Any]) -> dict[str, Any] | None:
    return next(iter(node.get("patternProperties", {}).values()), None)


def _variants(node: dict[str, Any], schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    if "$ref" in node:
        return _variants(schema["$defs"][node["$ref"].rsplit("/", 1)[-1]], schema)
    options = node.get("anyOf") or node.get("oneOf")
    return [variant for option in options for variant in _variants(option, schema)] if options else [node]
