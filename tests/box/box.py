"""What a test sees of a whole Debian of its own, whatever its walls are made of."""

from __future__ import annotations

import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

_POLL_S = 0.1
SORTER = "/opt/sorter/bin/sorter"
CONFIG = "/etc/sorter/sorter.toml"


class Box(ABC):
    """A running Debian with sorter in /opt/sorter; commands run as root."""

    @abstractmethod
    def run(self, command: Sequence[str], stdin: str = "") -> subprocess.CompletedProcess[str]:
        """A command inside, ended."""

    def __call__(self, *command: str, is_checked: bool = True) -> str:
        """What a command inside says on stdout."""
        answer = self.run(command)
        assert answer.returncode == 0 or not is_checked, f"{command}: {answer.stdout}{answer.stderr}"
        return answer.stdout.strip()

    def write(self, path: str, content: str) -> None:
        """A file inside."""
        answer = self.run(["/bin/sh", "-c", f'mkdir -p "$(dirname {path})" && cat > {path}'], content)
        assert answer.returncode == 0, answer.stderr

    def shown(self, name: str) -> str:
        """A property of the service."""
        return self("systemctl", "show", "sorter", "-p", name, "--value")

    def until(self, name: str, value: str, seconds: float = 60.0) -> float:
        """Wait until a property of the service has this value; how long that took."""
        return self.wait(lambda: self.shown(name) == value, seconds)

    def until_more(self, name: str, count: int, seconds: float = 60.0) -> float:
        """Wait until a count among the service's properties is at least this."""
        return self.wait(lambda: int(self.shown(name)) >= count, seconds)

    def until_logged(self, words: str, seconds: float = 60.0) -> float:
        """Wait until the service has said these words."""
        return self.wait(lambda: words in self.log(), seconds)

    def wait(self, is_done: Callable[[], bool], seconds: float) -> float:
        """Look until it is so; how long that took."""
        began_s = time.monotonic()
        while True:
            looked_s = time.monotonic()
            if is_done():
                return looked_s - began_s
            assert looked_s - began_s < seconds, self.log()
            # Longer than the look took: looking must not keep a slow box from its work.
            time.sleep(max(_POLL_S, 3 * (time.monotonic() - looked_s)))

    def log(self) -> str:
        """The service's last lines."""
        return self("journalctl", "-u", "sorter", "-n", "40", "--no-pager", is_checked=False)
