"""What the schema says of one place in the configuration: its keys, its choices, its type, its secrets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from edge.config.sections import Config

_Node = Mapping[str, Any]
# What an owner wrote, which tells the variants of a section apart.
_Written = Mapping[str, Any] | None


def keys_of(place: Sequence[str], written: _Written = None) -> list[str]:
    """The keys that a section may have; of all variants where `written` leaves open which one it is."""
    return sorted({key for node in _nodes(place, written) for key in node.get("properties", {})})


def choices_of(place: Sequence[str], key: str) -> list[str]:
    """The values that tell the variants of a section apart."""
    return [value for node in _nodes(place) if key in node.get("properties", {}) for value in _constants(node, key)]


def variants_with(place: Sequence[str], key: str, used: Sequence[str]) -> list[str]:
    """Of `choices_of`, those whose variant has all the keys in `used`."""
    fitting = [node for node in _nodes(place) if set(used) <= set(node.get("properties", {}))]
    return [value for node in fitting for value in _constants(node, key)]


def wants_text(place: Sequence[str], literal: object) -> bool:
    """Whether a text is wanted here, and this number or truth value is not."""
    kinds = {kind for node in _nodes(place) for kind in _kinds(node)}
    mine = "boolean" if isinstance(literal, bool) else "integer" if isinstance(literal, int) else "number"
    return "string" in kinds and mine not in kinds and not (mine == "integer" and "number" in kinds)


def is_secret(place: Sequence[str], written: _Written = None) -> bool:
    """Whether a value found here must not be shown: a secret, or a mistake beside one or around one."""
    nodes = _nodes(place, written) or _nodes(place[:-1], written)
    return any(_holds_secret(node) for node in nodes)


@cache
def tags() -> frozenset[str]:
    """The names of union members, which pydantic puts into an error's place although no file holds them."""
    found: set[str] = set()
    for node in _all_nodes(_schema()):
        found |= set(node.get("discriminator", {}).get("mapping", {}))
    return frozenset(found)


@cache
def _schema() -> dict[str, Any]:
    return Config.model_json_schema()


def _nodes(place: Sequence[str], written: _Written = None) -> list[_Node]:
    """The schema of the section at `place`; several where it has variants that `written` does not tell apart."""
    found: list[_Node] = [_schema()]
    for part in place:
        found = [child for node in found for child in _children(node, part)]
        inner = written.get(part) if written is not None else None
        written = inner if isinstance(inner, Mapping) else None
        if written is not None:
            found = [node for node in found if _can_be(node, written)] or found
    return found


def _can_be(node: _Node, written: Mapping[str, Any]) -> bool:
    """Whether no constant of this variant contradicts what was written."""
    constants = {key: told["const"] for key, told in node.get("properties", {}).items() if "const" in told}
    return all(written.get(key, constant) == constant for key, constant in constants.items())


def _children(node: _Node, part: str) -> list[_Node]:
    child = node.get("properties", {}).get(part) or node.get("additionalProperties") or _of_pattern(node)
    return _variants(child) if isinstance(child, dict) else []


def _of_pattern(node: _Node) -> _Node | None:
    return next(iter(node.get("patternProperties", {}).values()), None)


def _variants(node: _Node) -> list[_Node]:
    if "$ref" in node:
        return _variants(_schema()["$defs"][node["$ref"].rsplit("/", 1)[-1]])
    options = node.get("anyOf") or node.get("oneOf")
    return [variant for option in options for variant in _variants(option)] if options else [node]


def _constants(node: _Node, key: str) -> list[str]:
    told = node["properties"][key]
    return [str(value) for value in (told.get("enum") or [told["const"]])]


def _kinds(node: _Node) -> list[str]:
    return [node["type"]] if "type" in node else ["string"] if "enum" in node or "const" in node else []


def _holds_secret(node: _Node) -> bool:
    if node.get("writeOnly"):
        return True
    return any(
        variant.get("writeOnly") for child in node.get("properties", {}).values() for variant in _variants(child)
    )


def _all_nodes(node: object) -> Iterator[_Node]:
    if isinstance(node, dict):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _all_nodes(child)
