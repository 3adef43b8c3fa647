"""A plug to pull under one file system of this machine, on a disk that forgets what was not flushed.

ForgetfulDisk → NBD → qemu-storage-daemon → a file (FUSE) → a loop device → ext4. Needs root and qemu-utils.
"""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from random import Random

from tests.guest.build import make_ext4
from tests.guest.disk import ForgetfulDisk

_BYTES = 96 << 20
_PATIENCE_S = 20.0
_POLL_S = 0.02


class Plug:
    """`mount` holds the file system while it is plugged in; `folder` must have a short path, for a socket."""

    def __init__(self, folder: Path) -> None:
        content = folder / "empty.ext4"
        make_ext4(content, _BYTES)
        self.mount = folder / "mount"
        self.mount.mkdir()
        self._disk = ForgetfulDisk(content.read_bytes())
        self._socket = folder / "nbd"
        self._file = folder / "disk"
        self._file.touch()
        self._daemon: subprocess.Popen[bytes] | None = None
        self._loop = ""

    def plug_in(self) -> None:
        """Mount what the disk still holds; ext4 recovers by its own journal."""
        self._disk.plug(self._socket)
        self._daemon = subprocess.Popen([
            "qemu-storage-daemon",
            "--blockdev", f"driver=nbd,node-name=disk,server.type=unix,server.path={self._socket}",
            "--export", f"type=fuse,id=file,node-name=disk,mountpoint={self._file},writable=on",
        ])  # fmt: skip
        ends_at_s = time.monotonic() + _PATIENCE_S
        while self._file.stat().st_size == 0:
            assert time.monotonic() < ends_at_s, "qemu-storage-daemon did not show its disk"
            time.sleep(_POLL_S)
        self._loop = _run("losetup", "--find", "--show", str(self._file))
        _run("mount", self._loop, str(self.mount))

    def pull(self, chance: Random) -> tuple[int, int]:
        """Kill the disk under its file system. How many writes it had not been told to keep, and how many are lost.

        Whoever writes there must have been killed before.
        """
        if self._daemon is None:
            return 0, 0
        self._daemon.kill()
        self._daemon.wait()
        self._daemon = None
        # What the kernel still holds fails from here on: there is nobody to write it to.
        _run("umount", str(self.mount))
        _run("losetup", "--detach", self._loop)
        _run("umount", "--lazy", str(self._file))
        return self._disk.cut(chance)


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
