"""An actuator whose witness is the camera: the item is gone, so it has fallen."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from edge.actuators.base import Actuator
from edge.messages import Phase, Sight


class SceneWatch:
    """Whether the scene is empty: told by the loop with each frame, awaited by the actuation thread."""

    def __init__(self) -> None:
        self._is_empty = False
        self._is_halted = False
        self._news = threading.Condition()

    def __call__(self, sight: Sight) -> None:
        """Take what was seen; never blocks for longer than a comparison."""
        is_empty = sight.presence.phase is Phase.EMPTY
        if is_empty != self._is_empty:
            with self._news:
                self._is_empty = is_empty
                self._news.notify_all()

    def begin(self) -> None:
        """A movement begins; `wait_for_empty` is to wait again."""
        self._is_halted = False

    def wait_for_empty(self, timeout_s: float) -> bool | None:
        """Whether the scene was empty within `timeout_s`; None when it was halted meanwhile."""
        with self._news:
            self._news.wait_for(lambda: self._is_empty or self._is_halted, timeout_s)
            return None if self._is_halted else self._is_empty

    def halt(self) -> None:
        """End every wait."""
        with self._news:
            self._is_halted = True
            self._news.notify_all()


@dataclass(frozen=True, slots=True)
class LookSettings:
    """The scene has until `timeout_s` after the movement to be empty; then it is done again, `num_retries` times."""

    timeout_s: float = 1.5
    num_retries: int = 1


class LookedAtActuator:
    """Does what `actuator` does, and answers whether the item was gone afterwards.

    Whoever drops the next item at once makes it look like a jam: this wants bins that serve one by one.
    """

    def __init__(self, actuator: Actuator, settings: LookSettings, scene: SceneWatch) -> None:
        self._actuator = actuator
        self._settings = settings
        self._scene = scene

    def actuate(self) -> bool | None:
        self._scene.begin()
        for _ in range(1 + self._settings.num_retries):
            self._actuator.actuate()
            is_empty = self._scene.wait_for_empty(self._settings.timeout_s)
            if is_empty is not False:
                return is_empty
        return False

    def make_safe(self) -> None:
        self._scene.halt()
        self._actuator.make_safe()

    def close(self) -> None:
        self._actuator.close()
