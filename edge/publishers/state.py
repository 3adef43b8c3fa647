"""What a bin says about itself at any time, as against what it says about an item."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from edge.clock import Clock
from edge.messages import Phase

# What would make another topic of a name, or what no topic may hold (MQTT 5.0, section 4.7), and the sign of escape.
_NOT_IN_A_TOPIC = re.compile(r"[/+#%\x00-\x1f]")
# A retained topic with an empty payload would be deleted by the broker.
NO_PROBLEM = "none"


def topic_part(name: str) -> str:
    """A name of the owner's or a model's as one level of a topic; different names stay different.

    >>> topic_part("paper/cardboard #1")
    'paper%2Fcardboard %231'
    """
    return _NOT_IN_A_TOPIC.sub(lambda found: f"%{ord(found[0]):02X}", name)


def count_topic(bin_name: str) -> str:
    """Where a bin's count is told, below the device's prefix."""
    return f"bin/{topic_part(bin_name)}/count"


@dataclass(frozen=True, slots=True)
class BinState:
    """The retained topic `state`.

    `unknown_threshold` is 0..1; `temperature_c` is the processor's, None where it cannot be read;
    `model` runs, `latest_model` could be installed (the same name when there is no newer one).
    """

    phase: Phase
    is_enabled: bool
    unknown_threshold: float
    model: str
    latest_model: str
    temperature_c: float | None = None

    def to_json(self) -> str:
        """One line; the temperature in whole degrees, so that not every flicker is a message."""
        return json.dumps(
            {
                "schema": 1,
                "phase": self.phase.value,
                "occupied": self.phase is not Phase.EMPTY,
                "enabled": self.is_enabled,
                "unknown_threshold": round(self.unknown_threshold, 3),
                "temperature_c": None if self.temperature_c is None else round(self.temperature_c),
                "model": self.model,
                "latest_model": self.latest_model,
            },
            separators=(",", ":"),
        )


class Board(Protocol):
    """Where retained values are hung up; see `MqttPublisher`."""

    def retain(self, topic: str, payload: str) -> None:
        """Set what the topic says from now on; the same again costs nothing."""
        ...


# A processor warms up in minutes, and reading the kernel's file can take a millisecond.
_TEMPERATURE_EVERY_S = 30.0
# Nobody at a dashboard sees more, and it leaves the ticks between for the camera.
_EVERY_S = 0.2


class StateReporter:
    """Keeps the topics `state`, `problem` and `bin/<bin>/count` true. For the loop's thread, except `problems`."""

    def __init__(
        self,
        board: Board,
        clock: Clock,
        state_now: Callable[[float | None], BinState],
        counts: Callable[[], Mapping[str, int]],
        bins: Sequence[str],
        temperature_c: Callable[[], float | None],
    ) -> None:
        self._board = board
        self._clock = clock
        self._state_now = state_now
        self._counts = counts
        self._bins = bins
        self._read_temperature_c = temperature_c
        self._temperature_c: float | None = None
        self._read_at_s: float | None = None
        self._reported_at_s: float | None = None

    def report(self) -> None:
        """Say what has changed, five times a second at most. Never blocks; for every tick."""
        now_s = self._clock.now_s()
        if self._reported_at_s is not None and now_s - self._reported_at_s < _EVERY_S:
            return
        self._reported_at_s = now_s
        if self._read_at_s is None or now_s - self._read_at_s >= _TEMPERATURE_EVERY_S:
            self._temperature_c, self._read_at_s = self._read_temperature_c(), now_s
        self._board.retain("state", self._state_now(self._temperature_c).to_json())
        counts = self._counts()
        for bin_name in self._bins:
            self._board.retain(count_topic(bin_name), str(counts.get(bin_name, 0)))

    def problems(self, sentences: Sequence[str]) -> None:
        """Say what is wrong. Any thread."""
        self._board.retain("problem", "; ".join(sentences) or NO_PROBLEM)
