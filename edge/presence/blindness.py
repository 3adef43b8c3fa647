"""Moments in which the light hides what lies there: it is taken to be there still."""

from __future__ import annotations

from edge.presence.background import Background
from edge.presence.planes import Floats

# A lamp that flickers is back by then; a lamp that fails is the camera's fault to tell, seconds.
_BLIND_S = 3.0


class Blindness:
    """Whether the last frames show too little to say that something has gone."""

    def __init__(self) -> None:
        self._dark_since_s: float | None = None
        self._is_hidden = False

    def in_dark(self, scene: Background, log_picture: Floats, now_s: float) -> bool:
        """Whether the light has just gone."""
        if not scene.is_darkened(log_picture):
            self._dark_since_s = None
            return False
        self._dark_since_s = now_s if self._dark_since_s is None else self._dark_since_s
        return now_s - self._dark_since_s < _BLIND_S

    def in_jump(self, jump_s: float, now_s: float, *, is_gone: bool) -> bool:
        """Whether what `is_gone` went with the jump of the light at `jump_s`, after which much is forgiven at first.

        In the dark it has been waited for already.
        """
        lasts_s = now_s - jump_s
        is_gone = is_gone and self._dark_since_s is None
        self._is_hidden = is_gone and (lasts_s == 0 or (self._is_hidden and lasts_s < _BLIND_S))
        return self._is_hidden
