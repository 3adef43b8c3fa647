"""What the machine uses, from what its kernel tells: a counter of energy, or a sensor of power.

Counters are Intel's and AMD's powercap (of the processor; root may read it) and hwmon's `energy1_input`, both in
microjoules; sensors are hwmon's `power1_input` in microwatts, such as an INA219 on the supply. A bare Raspberry Pi
has none of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

# A sensor is read this often: ten times the half second over which the common ones average would be too coarse.
_EVERY_S = 0.5


class EnergyMeter:
    """Joules that were used since this was made; `sample` often, for machines that tell only their power."""

    def __init__(self, root: Path = Path("/"), now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._counter = _first(root, "sys/class/powercap/intel-rapl:0/energy_uj", "sys/class/hwmon/*/energy1_input")
        self._sensor = None if self._counter else _first(root, "sys/class/hwmon/*/power1_input")
        self._began_uj = _read(self._counter)
        self._sampled_s = now_s()
        self._integral_uj = 0.0

    @property
    def source(self) -> str:
        """What is measured, in words; empty where nothing tells."""
        path = self._counter or self._sensor
        return "" if path is None else "the processor" if "powercap" in path.parts else "the supply"

    def sample(self) -> None:
        """Add what was used since the last sample; does something every half second only."""
        now_s = self._now_s()
        if self._sensor is not None and now_s - self._sampled_s >= _EVERY_S:
            self._integral_uj += (_read(self._sensor) or 0.0) * (now_s - self._sampled_s)
            self._sampled_s = now_s

    def joules(self) -> float | None:
        """So far; None where nothing tells, or the counter went round."""
        if self._sensor is not None:
            return self._integral_uj / 1e6
        now_uj = _read(self._counter)
        if self._began_uj is None or now_uj is None or now_uj < self._began_uj:
            return None
        return (now_uj - self._began_uj) / 1e6


def _first(root: Path, *patterns: str) -> Path | None:
    paths = (path for pattern in patterns for path in sorted(root.glob(pattern)))
    return next((path for path in paths if _read(path) is not None), None)


def _read(path: Path | None) -> float | None:
    try:
        return None if path is None else float(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
