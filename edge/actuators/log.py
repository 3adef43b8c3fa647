"""An actuator that only says what it would do: for dry runs, the demo and bins without hardware."""

from __future__ import annotations

import logging

_log = logging.getLogger(__name__)


class LogActuator:
    """Writes one line for each movement."""

    def __init__(self, bin_name: str) -> None:
        self._bin_name = bin_name

    def actuate(self) -> None:
        _log.info("bin %s opens and closes", self._bin_name)

    def make_safe(self) -> None:
        _log.debug("bin %s is safe", self._bin_name)

    def close(self) -> None:
        self.make_safe()
