"""What is wrong with a configuration, in an owner's words: place, value, and what is allowed instead."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError

from edge.addresses import without_secrets
from edge.config import schema
from edge.config.base import NAME_PATTERN
from edge.config.lines import Place
from edge.config.sections import Config
from edge.errors import SorterError
from edge.models.signatures import KEY_PATTERN

_UNKNOWN_KEY = ("extra_forbidden", "unexpected_keyword_argument")
_MISSING_KEY = "missing"
# What pydantic adds to the place of a key that is wrong itself.
_KEY = "[key]"

_A_SECTION = "expected a section, with keys and values of its own"
_A_WHOLE_NUMBER = "expected a whole number"
# What pydantic says of types means nothing to whoever has never seen Python; by its kinds of error.
_EXPECTED: Mapping[str, str] = {
    **dict.fromkeys(("model_type", "model_attributes_type", "dataclass_type", "dict_type"), _A_SECTION),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), _A_WHOLE_NUMBER),
    **dict.fromkeys(("float_type", "float_parsing", "finite_number"), "expected a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "expected true or false"),
    **dict.fromkeys(("string_type", "path_type"), "expected a text, in quotes"),
    "tuple_type": 'expected a list, such as ["a", "b"]',
}
_EXPECTED_OF_PATTERN: Mapping[str, str] = {
    NAME_PATTERN: "expected small letters a to z, digits, - and _, at most 63, a letter or digit first",
    KEY_PATTERN: "expected a public key, as `sorter model keygen` prints it",
}


@dataclass(frozen=True, slots=True)
class Complaint:
    """One mistake: where, and what is wrong there. `error` is what caused it, when something failed."""

    place: Place
    text: str
    error: SorterError | None = None

    def line(self, origins: Mapping[Place, str], default_origin: str) -> str:
        """The mistake as one line; `origins` says which file and line, variable or flag a place came from."""
        place = self.place
        origin = next(
            (origins[place[:end]] for end in range(len(place), 0, -1) if place[:end] in origins), default_origin
        )
        return f"{origin}: {'.'.join(place) or 'the whole'}{self.text}"


Check = Callable[[Config], Iterable[Complaint]]


@dataclass(frozen=True, slots=True)
class Mistakes:
    """What pydantic refused, and which places a remainder that is valid must do without."""

    complaints: tuple[Complaint, ...]
    unusable: frozenset[Place]

    def hides(self, place: Place) -> bool:
        """Whether a complaint about `place` could come from something left out."""
        return any(lost[: len(place)] == place or place[: len(lost)] == lost for lost in self.unusable)


def mistakes_in(invalid: ValidationError, written: Mapping[str, Any]) -> Mistakes:
    """The mistakes that pydantic found in what was `written`."""
    complaints, unusable = [], set()
    for error in invalid.errors(include_url=False):
        place = _written_place(error["loc"], written)
        complaints.append(_complaint(error["type"], error, place, written))
        unusable.add(place[:-1] if error["type"] == _MISSING_KEY else place)
    return Mistakes(tuple(complaints), frozenset(unusable))


def without(written: Mapping[str, Any], unusable: Iterable[Place]) -> dict[str, Any]:
    """A copy of `written` that lacks these places."""
    rest = dict(written)
    for place in unusable:
        if len(place) == 1:
            rest.pop(place[0], None)
        elif place and isinstance(rest.get(place[0]), Mapping):
            rest[place[0]] = without(rest[place[0]], [place[1:]])
    return rest


def _written_place(loc: tuple[int | str, ...], written: Mapping[str, Any]) -> Place:
    """The error's place as the owner wrote it: pydantic adds the tag of a chosen union member, and says of keys so."""
    place: Place = ()
    node: Any = written
    for index, part in enumerate(map(str, loc)):
        is_written = isinstance(node, Mapping) and part in node
        if part == _KEY or (part in schema.tags() and not is_written and index > 0):
            continue
        place = (*place, part)
        node = node[part] if is_written else None
    return place


def _complaint(kind: str, error: Any, place: Place, written: Mapping[str, Any]) -> Complaint:
    is_section = isinstance(error["input"], dict | BaseModel)
    found = "" if is_section else f" = {_shown(error['input'], place, written)}"
    if kind in _UNKNOWN_KEY:
        allowed = schema.keys_of(place[:-1], written)
        near = get_close_matches(place[-1], allowed, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        return Complaint(place, f"{found} is not a setting{hint} (allowed: {', '.join(allowed)})")
    if kind == "union_tag_invalid":
        key, tag = error["ctx"]["discriminator"].strip("'"), error["ctx"]["tag"]
        return Complaint((*place, key), f" = {tag!r}: expected one of {error['ctx']['expected_tags']}")
    if kind == "union_tag_not_found":
        key = error["ctx"]["discriminator"].strip("'")
        return Complaint(
            (*place, key), f" is missing: say which one is meant ({', '.join(schema.choices_of(place, key))})"
        )
    if kind == _MISSING_KEY:
        return Complaint(place, " is missing")
    if place == ("schema",):
        return Complaint(place, f"{found} is not known, expected {error['ctx']['expected']}: update sorter")
    return Complaint(place, f"{found}: {_expected(kind, error)}")


def _expected(kind: str, error: Any) -> str:
    if kind == "too_short" and error["ctx"]["field_type"] == "Value":  # a secret, of which pydantic counts "items"
        return f"expected at least {error['ctx']['min_length']} characters, found {error['ctx']['actual_length']}"
    said: str = error["msg"].removeprefix("Value error, ").replace("Input should be", "expected", 1)
    if kind == "string_pattern_mismatch":
        return _EXPECTED_OF_PATTERN.get(error["ctx"]["pattern"], said)
    return _EXPECTED.get(kind, said)


def _shown(value: object, place: Place, written: Mapping[str, Any]) -> str:
    if schema.is_secret(place, written):
        return "***"
    return repr(without_secrets(value) if isinstance(value, str) and "://" in value else value)
