"""What the kernel, the firmware and the programs of this computer tell of it.

`root` is where their files lie, so that a copied or a made-up /proc and /sys can be read as well.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

_THROTTLED = "sys/devices/platform/soc/soc:firmware/get_throttled"


def hottest_c(root: Path = Path("/")) -> float | None:
    """Degrees Celsius of the hottest zone; None where the kernel tells of none."""
    zones = (_number(path) for path in sorted(root.glob("sys/class/thermal/thermal_zone*/temp")))
    degrees = [zone / 1000 for zone in zones if zone is not None]
    return max(degrees, default=None)


def throttled_flags(root: Path = Path("/")) -> int | None:
    """The bits of `vcgencmd get_throttled`; None on other machines than a Raspberry Pi."""
    if value := text(root / _THROTTLED):
        return int(value, 16)
    if root != Path("/"):
        return None
    _, equals, value = ask("vcgencmd", "get_throttled").strip().partition("=")
    return int(value, 16) if equals else None


def ask(program: str, *arguments: str, timeout_s: float = 30.0) -> str:
    """What an installed program prints; empty where it is not installed, or does not answer in time."""
    command = shutil.which(program)
    if command is None:
        return ""
    try:
        answer = subprocess.run(  # noqa: S603 - found on the PATH, called with this module's own words
            [command, *arguments], capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired:
        return ""
    return answer.stdout


def text(path: Path) -> str:
    """The stripped content of a kernel's file, empty where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip("\0\n ")
    except OSError:
        return ""


def _number(path: Path) -> float | None:
    try:
        return float(text(path))
    except ValueError:
        return None
