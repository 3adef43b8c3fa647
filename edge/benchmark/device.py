"""What kind of machine this is, and what it says of itself while it works."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from edge.host.kernel import hottest_c, text, throttled_flags

_CPU = Path("/sys/devices/system/cpu/cpu0/cpufreq")


class Device(BaseModel):
    """The machine under test; `governor` is how it chooses its clock, empty where it does not tell."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    processor: str
    num_cores: int
    kernel: str
    python: str
    governor: str

    @classmethod
    def here(cls) -> Device:
        """This machine."""
        return cls(
            name=text(Path("/proc/device-tree/model")) or platform.machine(),
            processor=_processor(),
            num_cores=len(os.sched_getaffinity(0)),
            kernel=platform.release(),
            python=platform.python_version(),
            governor=text(_CPU / "scaling_governor"),
        )


class Reading(BaseModel):
    """The machine's state at one moment; None where it does not tell.

    `load` is how many threads wanted a core, as a mean over the last minute.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature_c: float | None
    clock_mhz: float | None
    throttled: int | None
    load: float | None = None

    @property
    def is_slowed(self) -> bool:
        """Whether the firmware holds the clock down at this moment: bits 1 to 3 of `get_throttled`."""
        return bool((self.throttled or 0) & 0b1110)

    @classmethod
    def now(cls) -> Reading:
        """What the kernel and the firmware say now."""
        khz = text(_CPU / "scaling_cur_freq")
        clock_mhz = float(khz) / 1000 if khz else None
        return cls(
            temperature_c=hottest_c(),
            clock_mhz=clock_mhz,
            throttled=throttled_flags(),
            load=round(os.getloadavg()[0], 2),
        )


def memory_mb(process: int | str = "self") -> tuple[float, float]:
    """Resident memory of this or another process, now and at its peak, in 1e6 bytes."""
    fields = dict(line.split(":", 1) for line in text(Path(f"/proc/{process}/status")).splitlines() if ":" in line)
    now, peak = (float(fields[name].split()[0]) * 1024 / 1e6 for name in ("VmRSS", "VmHWM"))
    return round(now, 1), round(peak, 1)


def _processor() -> str:
    for line in text(Path("/proc/cpuinfo")).splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("model name", "Model"):
            return value.strip()
    return platform.processor() or "unknown"
