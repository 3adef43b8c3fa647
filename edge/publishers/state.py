"""What a bin says about itself at any time, as against what it says about an item."""

from __future__ import annotations

import json
from dataclasses import dataclass

from edge.messages import Phase

# A retained topic with an empty payload would be deleted by the broker.
NO_PROBLEM = "none"


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
