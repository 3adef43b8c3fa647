"""The one JSON object for a decision, in the journal, on MQTT and on stdout."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

import numpy as np

from edge.clock import Clock, rfc3339
from edge.messages import Decision

RECORD_SCHEMA = 1

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ID_LENGTH, _TIME_DIGITS = 26, 10
_RANDOM_BYTES = 10
_TIME_BYTES = 6

# A record must fit a log line and an MQTT payload even for a shop with a thousand products.
_MAX_SCORES = 20


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """A decision with what is needed to tell it outside the process.

    `seq` counts the decisions of a journal from 1 without gaps; `ts` is RFC 3339 UTC; `model` is the
    bundle's short name, `site` the site file's id; `commanded` says whether an actuator was asked to
    move, `confirmed` what its sensor answered (None where nothing can tell, or not yet).
    """

    seq: int
    id: str
    ts: str
    decision: Decision
    model: str
    site: str | None
    commanded: bool
    confirmed: bool | None = None

    def to_json(self) -> str:
        """One line without spaces, keys in the documented order, the likeliest scores first."""
        decision = self.decision
        fields: dict[str, object] = {
            "schema": RECORD_SCHEMA,
            "event_type": decision.outcome.value,
            "seq": self.seq,
            "id": self.id,
            "ts": self.ts,
            "t_s": round(decision.decided_s, 3),
            "outcome": decision.outcome.value,
            "label": decision.label,
            "bin": decision.bin,
            "confidence": round(decision.confidence, 4),
            "margin": round(decision.margin, 4),
            "reason": decision.reason,
            "frames": {"used": decision.frames_used, "rejected": decision.frames_rejected},
            "settled_s": None if decision.settled_s is None else round(decision.settled_s, 3),
            "decided_s": round(decision.decided_s, 3),
            "scores": _likeliest(decision),
            "model": self.model,
            "site": self.site,
            "commanded": self.commanded,
            "confirmed": self.confirmed,
        }
        return _one_line(fields)


def with_actuation(line: str, *, commanded: bool, confirmed: bool | None) -> str:
    """A record's line, with what the actuator did in place of what was intended."""
    fields = json.loads(line)
    return _one_line({**fields, "commanded": commanded, "confirmed": confirmed})


def _one_line(fields: dict[str, object]) -> str:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _likeliest(decision: Decision) -> dict[str, float]:
    ranked = sorted(decision.scores.items(), key=lambda entry: (-entry[1], entry[0]))
    return {label: round(float(score), 4) for label, score in ranked[:_MAX_SCORES]}


def is_record_id(text: str) -> bool:
    """Whether this could be a decision's id."""
    return len(text) == _ID_LENGTH and set(text) <= set(_CROCKFORD)


def moment_of(record_id: str) -> str:
    """The time in an id, RFC 3339 UTC: when the decision fell, or later where the clock had gone back.

    >>> moment_of("01ARYZ6S410000000000000000")
    '2016-07-30T22:36:16.385Z'
    """
    return rfc3339(datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=_milliseconds(record_id)))


def _milliseconds(record_id: str) -> int:
    milliseconds = 0
    for digit in record_id[:_TIME_DIGITS]:
        milliseconds = milliseconds * len(_CROCKFORD) + _CROCKFORD.index(digit)
    return milliseconds


class IdSource(Protocol):
    """Gives each decision its name."""

    def next_id(self, at_s: float) -> str:
        """26 characters of Crockford's base 32 (a ULID): 48 bits of milliseconds, 80 bits of chance."""
        ...


class LiveIds:
    """ULIDs of the wall time at which the decision fell; unique across devices and restarts.

    They are in the order of the decisions whatever the date is: where the clock has gone back, they go on from the
    `newest` that there is.
    """

    def __init__(self, clock: Clock, newest: str | None = None) -> None:
        self._clock = clock
        self._last_ms = -1 if newest is None else _milliseconds(newest)

    def next_id(self, at_s: float) -> str:
        self._last_ms = max(int(self._clock.wall(at_s).timestamp() * 1000), self._last_ms + 1)
        return _ulid(self._last_ms, os.urandom(_RANDOM_BYTES))


class ReplayedIds:
    """ULIDs of the source's own time and a seed: the same file gives the same ids again.

    They repeat, so they do not belong into a journal that is kept: it refuses an id it already holds.
    """

    def __init__(self, seed: int = 0) -> None:
        self._chance = np.random.default_rng(seed)

    def next_id(self, at_s: float) -> str:
        return _ulid(round(at_s * 1000), self._chance.bytes(_RANDOM_BYTES))


def _ulid(milliseconds: int, chance: bytes) -> str:
    """128 bits as 26 digits of five bits, the two spare bits in front (ULID specification).

    >>> _ulid(1469918176385, bytes(10))
    '01ARYZ6S410000000000000000'
    """
    milliseconds = min(max(milliseconds, 0), 2 ** (8 * _TIME_BYTES) - 1)
    value = int.from_bytes(milliseconds.to_bytes(_TIME_BYTES) + chance)
    return "".join(_CROCKFORD[value >> shift & 31] for shift in range(125, -1, -5))


class Recorder:
    """Makes records of one run: it knows the clock, the ids, the bundle and the site."""

    def __init__(self, clock: Clock, ids: IdSource, model: str, site: str | None = None) -> None:
        self._clock = clock
        self._ids = ids
        self._model = model
        self._site = site

    def record(self, decision: Decision, seq: int, *, commanded: bool) -> DecisionRecord:
        """The record of `decision`, timed by when it was decided; nothing is confirmed yet."""
        return DecisionRecord(
            seq=seq,
            id=self._ids.next_id(decision.decided_s),
            ts=rfc3339(self._clock.wall(decision.decided_s)),
            decision=decision,
            model=self._model,
            site=self._site,
            commanded=commanded,
        )
