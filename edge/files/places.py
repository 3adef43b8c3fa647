"""Where a bin keeps what it remembers, unless the configuration says otherwise."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

SYSTEM_STATE = Path("/var/lib/sorter")


def state_folder(environment: Mapping[str, str] = os.environ, system_state: Path = SYSTEM_STATE) -> Path:
    """The folder for journal and site file: the service's own, else the machine's, else the user's.

    The second makes `sudo sorter calibrate` write where the service reads.
    """
    of_service = environment.get("STATE_DIRECTORY", "").split(":")[0]
    if of_service:
        return Path(of_service)
    if os.access(system_state, os.W_OK):
        return system_state
    return Path(environment.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "sorter"
