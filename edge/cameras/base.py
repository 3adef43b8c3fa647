"""What a camera promises to the loop.

A live camera keeps the newest frame only; a replayed one gives every frame, in order, with the times
of the file. Both are pulled by the loop, one frame a call.
"""

from __future__ import annotations

from typing import Protocol

from edge.messages import Frame


class Camera(Protocol):
    """A source of frames, used by one thread."""

    def open(self) -> None:
        """Start capturing.

        Raises:
            CameraLostError: it is not there or cannot be started.
            AccessDeniedError: the user may not open it.
        """
        ...

    def next_frame(self, timeout_s: float) -> Frame | None:
        """The newest frame not yet given; None when the source has ended.

        Blocks for at most `timeout_s` until there is one. `captured_at_s` counts on the loop's clock.

        Raises:
            StaleFrameError: no new frame within `timeout_s`.
            CameraLostError: the device went away.
            FrozenPictureError: the same bytes arrive again and again.
        """
        ...

    def close(self) -> None:
        """Stop capturing and free the device; harmless when it is closed already."""
        ...
