"""Decisions held against those that were expected, so that a bug in the field becomes a test."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge.errors import InvalidDataError, MissingInputError, first_problem
from edge.messages import Decision, Outcome

# Decisions further apart than this are not of one item, seconds: an item commonly lies there for longer.
_APART_S = 1.0


class Expected(BaseModel):
    """What matters of one line of `sorter replay --json`; `t_s` counts from the start of the source."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    outcome: Outcome
    label: str | None
    bin: str | None
    t_s: Annotated[float, Field(allow_inf_nan=False)]


def load_expected(path: Path) -> tuple[Expected, ...]:
    """The decisions in a file of JSON lines; lines of other events are passed over.

    Raises:
        MissingInputError: there is no such file.
        InvalidDataError: a line is no JSON object, or a decision lacks a field.
    """
    if not path.is_file():
        raise MissingInputError(f"no expected decisions at {path}: expected the lines of `sorter replay --json`")
    expected = []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
            if isinstance(fields, dict) and fields.get("event_type") == "score":
                continue
            expected.append(Expected.model_validate(fields))
        except ValueError as error:
            complaint = first_problem(error, "the line") if isinstance(error, ValidationError) else str(error)
            raise InvalidDataError(f"{path}:{number} is no decision ({complaint}): expected a line of --json") from None
    return tuple(expected)


def differences(expected: Sequence[Expected], found: Sequence[Decision], within_s: float) -> list[str]:
    """What differs in outcome, label, bin, or in time by more than `within_s`, one line each, in order."""
    lines = []
    for number, (wanted, decision) in enumerate(_pairs(expected, found), start=1):
        if wanted is None and decision is not None:
            lines.append(
                f"decision {number}: expected none, found {_described(decision)} at {decision.decided_s:.2f} s"
            )
        elif decision is None and wanted is not None:
            lines.append(f"decision {number}: expected {_described(wanted)} at {wanted.t_s:.2f} s, found none")
        elif wanted is not None and decision is not None:
            lines += _difference(number, wanted, decision, within_s)
    return lines


def _pairs(
    expected: Sequence[Expected], found: Sequence[Decision]
) -> Iterator[tuple[Expected | None, Decision | None]]:
    """Each expected decision with the nearest one in time, None where there is none: the others must not shift."""
    wanted, given = deque(expected), deque(found)
    while wanted and given:
        apart_s = given[0].decided_s - wanted[0].t_s
        nearest_s = min(_APART_S, abs(apart_s))
        if apart_s > _APART_S or (len(wanted) > 1 and abs(given[0].decided_s - wanted[1].t_s) < nearest_s):
            yield wanted.popleft(), None
        elif apart_s < -_APART_S or (len(given) > 1 and abs(given[1].decided_s - wanted[0].t_s) < nearest_s):
            yield None, given.popleft()
        else:
            yield wanted.popleft(), given.popleft()
    yield from ((one, None) for one in wanted)
    yield from ((None, one) for one in given)


def _difference(number: int, wanted: Expected, decision: Decision, within_s: float) -> list[str]:
    at_s = f"{decision.decided_s:.2f} s"
    if _described(wanted) != _described(decision):
        return [f"decision {number} at {at_s}: expected {_described(wanted)}, found {_described(decision)}"]
    # The record rounds to milliseconds.
    if abs(wanted.t_s - decision.decided_s) > within_s + 0.001:
        return [f"decision {number}, {_described(wanted)}: expected at {wanted.t_s:.2f} s, found at {at_s}"]
    return []


def _described(decision: Expected | Decision) -> str:
    return f"{decision.outcome.value} {decision.label or '-'} -> {decision.bin or 'stays'}"
