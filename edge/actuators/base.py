"""What an actuator promises: it serves one bin, it can be made safe at any time."""

from __future__ import annotations

from typing import Protocol


class Actuator(Protocol):
    """Opens the way into one bin. Called from the actuation thread only, except `make_safe`."""

    def actuate(self) -> bool | None:
        """Do the whole movement, there and back; blocks for its length.

        Returns whether a sensor confirmed it, or None where nothing can.
        """
        ...

    def make_safe(self) -> None:
        """Go to the safe position now; harmless to call again, and from any thread."""
        ...

    def close(self) -> None:
        """Make safe and free the hardware."""
        ...
