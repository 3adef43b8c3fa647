"""Where a bin keeps what it remembers, unless the configuration says otherwise."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

SYSTEM_STATE = Path("/var/lib/sorter")


def state_folder(environment: Mapping[str, str] = os.environ, system_state: Path = SYSTEM_STATE) -> Path:
    """The folder for journal and site file: the service's own, else the machine's, else the user's.

    The second makes `sudo sorter calibrate` write where the service reads; who may only look into it, reads there, and
    is told where writing fails.
    """
    of_service = environment.get("STATE_DIRECTORY", "").split(":")[0]
    if of_service:
        return Path(of_service)
    if os.access(system_state, os.R_OK | os.X_OK):
        return system_state
    return Path(environment.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "sorter"


def give_to_owner(folder: Path) -> None:
    """Make what root left in another user's folder that user's: after `sudo sorter` the bin must be able to write."""
    try:
        owner = folder.stat()
    except OSError:
        return
    if os.geteuid() != 0 or owner.st_uid == 0:
        return
    # By open folders, not by paths: that user may put a link in the place of a folder meanwhile.
    for _, folders, files, opened in os.fwalk(folder.resolve()):
        for name in (*folders, *files):
            with suppress(OSError):  # the bin may be at work here, and pictures come and go
                _give(name, opened, owner)


def _give(name: str, opened: int, owner: os.stat_result) -> None:
    found = os.stat(name, dir_fd=opened, follow_symlinks=False)
    # A file with a second name may be one of the system's.
    if found.st_uid == 0 and (found.st_nlink == 1 or stat.S_ISDIR(found.st_mode)):
        os.chown(name, owner.st_uid, owner.st_gid, dir_fd=opened, follow_symlinks=False)
