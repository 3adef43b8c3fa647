"""The computer under the lid: clock, temperature, throttling, memory, disk and service, from what the kernel tells.

All paths are below `root`, so that a copied or a made-up /proc and /sys can be examined as well.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from edge.doctor.finding import Finding, failure, ok, warning
from edge.host.installation import UNIT
from edge.host.kernel import ask, hottest_c, text, throttled_flags

# The firmware of a Raspberry Pi slows down from 80 C, and stops turbo at 85.
HOT_C, TOO_HOT_C = 75.0, 85.0
# This project's first release: a clock that shows an earlier day has not been set.
_RELEASED = datetime(2026, 1, 1, tzinfo=UTC)
# What a running bin takes is about 150 MB.
_LITTLE_MEMORY_MB, _NO_MEMORY_MB = 300, 100
_LITTLE_DISK_MB, _NO_DISK_MB = 500, 50
# A cheap 16 GB card stands some 10 TB of writes: at 2 GB a day that is more than ten years.
_MANY_WRITES_MB_A_DAY = 2000.0
_SECTOR_BYTES = 512

# Bits of `vcgencmd get_throttled`: those of now, and the same shifted by 16 for "since boot".
_THROTTLED = {0: "under-voltage", 1: "clock limited", 2: "throttled", 3: "too hot"}
_SINCE_BOOT = 16


class Machine:
    """The computer whose file systems lie below `root`."""

    def __init__(self, root: Path = Path("/"), now: datetime | None = None) -> None:
        self._root = root
        self._now = now or datetime.now(UTC)

    def clock(self) -> Iterator[Finding]:
        """Is the date plausible, and does something keep it right?"""
        day = f"{self._now:%Y-%m-%d %H:%M} UTC"
        if self._now < _RELEASED:
            yield failure(
                "clock", f"it shows {day}", "set it, or connect the device to the network: decisions bear wrong dates"
            )
        elif (self._root / "run/systemd/timesync/synchronized").exists():
            yield ok("clock", f"{day}, kept by the network")
        elif (self._root / "run/systemd/system").is_dir() and self._runs("systemd-timesyncd"):
            yield warning("clock", f"{day}, not yet set by the network", "see that an NTP server can be reached")
        else:
            yield ok("clock", day)

    def temperature(self) -> Iterator[Finding]:
        """The hottest zone of the processor."""
        celsius = hottest_c(self._root)
        if celsius is None:
            return
        found = f"{celsius:.0f} C"
        if celsius >= TOO_HOT_C:
            yield failure("temperature", found, "the processor slows itself down: give it a heat sink and air")
        elif celsius >= HOT_C:
            yield warning("temperature", found, "it will slow down from 80 C on: give it a heat sink and air")
        else:
            yield ok("temperature", found)

    def power(self) -> Iterator[Finding]:
        """What a Raspberry Pi's firmware says of its supply."""
        flags = throttled_flags(self._root)
        if flags is None:
            return
        now = [name for bit, name in _THROTTLED.items() if flags >> bit & 1]
        before = [name for bit, name in _THROTTLED.items() if flags >> (bit + _SINCE_BOOT) & 1]
        advice = "take the supply and the cable made for this board; feed solenoids and motors from another one"
        if now:
            yield failure("power", f"now: {', '.join(now)}", advice)
        elif before:
            yield warning("power", f"since it was switched on: {', '.join(before)}", advice)
        else:
            yield ok("power", "steady since it was switched on")

    def memory(self) -> Iterator[Finding]:
        """What is left for the bin."""
        available_mb = self._available_mb()
        if available_mb is None:
            return
        found = f"{available_mb:.0f} MB available"
        if available_mb < _NO_MEMORY_MB:
            yield failure("memory", found, "a running bin takes about 150 MB: stop other programs")
        elif available_mb < _LITTLE_MEMORY_MB:
            yield warning("memory", found, "a running bin takes about 150 MB: stop other programs")
        else:
            yield ok("memory", found)

    def disk(self, folder: Path) -> Iterator[Finding]:
        """Room and writability where decisions are kept; `folder` need not exist yet."""
        existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        stats = os.statvfs(existing)
        free_mb = stats.f_bavail * stats.f_frsize / 1e6
        found = f"{free_mb / 1000:.1f} GB free for {folder}"
        if stats.f_flag & os.ST_RDONLY:
            yield failure(
                "disk", f"{existing} is read-only", "a worn-out card turns read-only: replace it, or mount it writable"
            )
        elif not os.access(existing, os.W_OK):
            yield failure(
                "disk",
                f"this user may not write to {existing}",
                "chown it to the user of the service, or set journal.path",
            )
        elif free_mb < _NO_DISK_MB:
            yield failure("disk", found, "make room: without it nothing can be decided")
        elif free_mb < _LITTLE_DISK_MB:
            yield warning("disk", found, "make room before it is full")
        else:
            yield ok("disk", found)

    def writes(self) -> Iterator[Finding]:
        """How much the whole machine writes a day, which is what wears a card out."""
        up_s = self._up_s()
        if up_s is None or up_s < 3600:
            return
        for name, written_mb in self._written_mb():
            a_day_mb = written_mb / up_s * 86400
            found = f"{name}: {a_day_mb:.0f} MB written a day since it was switched on"
            if a_day_mb > _MANY_WRITES_MB_A_DAY:
                yield warning("writes", found, "a card lasts longer with less: see what writes with `iotop -ao`")
            else:
                yield ok("writes", found)

    def wear(self) -> Iterator[Finding]:
        """What an eMMC says of its own age, in tenths of its life."""
        for path in sorted(self._root.glob("sys/block/mmcblk*/device/life_time")):
            tenths = max((int(part, 16) for part in text(path).split()), default=0)
            if tenths == 0:
                continue
            found = f"{path.parts[-3]}: {min(tenths, 10) * 10} % of its life is over"
            yield ok("wear", found) if tenths < 9 else warning("wear", found, "replace it soon")

    def service(self) -> Iterator[Finding]:
        """What systemd says of the unit, where there is one."""
        if not (self._root / "run/systemd/system").is_dir():
            return
        said = ask("systemctl", "show", UNIT, "-p", "LoadState,ActiveState,SubState,NRestarts,StatusText")
        state = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
        if state.get("LoadState") != "loaded":
            yield warning("service", "not installed", "sorter service install starts the bin whenever the device does")
            return
        # By its words: systemd gives all that a service writes the same priority.
        advice = f"sudo journalctl -u {UNIT} -n 20 -g 'error|exited' tells why"
        found = f"{state.get('ActiveState')} ({state.get('SubState')}), {state.get('NRestarts', '0')} restarts"
        if state.get("ActiveState") == "failed":
            yield failure("service", found, advice)
        elif state.get("ActiveState") == "inactive":
            yield warning("service", found, f"sudo systemctl start {UNIT} starts it")
        elif state.get("ActiveState") == "active" and (wrong := state.get("StatusText")):
            yield warning("service", found, wrong)
        elif int(state.get("NRestarts") or 0) > 0:
            yield warning("service", found, advice)
        else:
            yield ok("service", found)

    def _runs(self, command: str) -> bool:
        names = (text(path) for path in self._root.glob("proc/[0-9]*/comm"))
        return any(name == command[:15] for name in names)

    def _available_mb(self) -> float | None:
        for line in text(self._root / "proc/meminfo").splitlines():
            name, _, rest = line.partition(":")
            if name == "MemAvailable":
                return float(rest.split()[0]) / 1000
        return None

    def _up_s(self) -> float | None:
        words = text(self._root / "proc/uptime").split()
        return float(words[0]) if words else None

    def _written_mb(self) -> Iterator[tuple[str, float]]:
        """Whole disks only: /sys/block has no partitions; its loop, RAM and optical disks wear nothing out."""
        for path in sorted(self._root.glob("sys/block/*/stat")):
            fields = text(path).split()
            if len(fields) > 6 and not path.parent.name.startswith(("loop", "ram", "zram", "dm-", "sr", "nbd")):
                yield path.parent.name, int(fields[6]) * _SECTOR_BYTES / 1e6
