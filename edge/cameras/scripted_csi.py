"""A camera module that plays a script, or looks at a lamp: the stand-in for picamera2, which needs a Pi."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from edge.cameras.csi import PiCamera

# The automatics bring a picture to this level, and go this share of the way with each picture.
_WANTED_LEVEL, _PACE = 110.0, 0.5
# A sensor counts its exposure in lines, its gain in steps.
_LINE_US, _GAIN_STEP = 20, 1 / 16


class ScriptedRequest:
    """A finished frame of one color, `bgr` as "RGB888" lies in memory."""

    def __init__(
        self,
        size: tuple[int, int],
        bgr: tuple[float, float, float] = (10, 20, 200),
        metadata: Mapping[str, object] | None = None,
    ) -> None:
        self._size, self._bgr, self._metadata = size, bgr, dict(metadata or {})
        self.is_released = False

    def make_array(self, name: str) -> NDArray[np.uint8]:
        if name != "main":
            raise RuntimeError(f"no stream {name}")
        width, height = self._size
        return np.full((height, width, 3), np.clip(self._bgr, 0, 255).round(), np.uint8)

    def get_metadata(self) -> Mapping[str, object]:
        return self._metadata

    def release(self) -> None:
        self.is_released = True


class ScriptedModule(PiCamera):
    """A module that gives `script` step by step, and without one looks at a lamp for ever.

    Before the lamp its automatics come to rest over some pictures, and a setting is told by the pictures that it was
    taken with, rounded as a sensor does. `applied` is what it makes of the size and format asked for. `calls` are
    those that start and end it, `main` and `controls` what it was configured with.
    """

    def __init__(
        self,
        script: Iterable[ScriptedRequest | Exception] | None = None,
        *,
        applied: Mapping[str, object] | None = None,
        has_focus: bool = True,
        starts: bool = True,
    ) -> None:
        self._script = self._before_a_lamp() if script is None else iter(script)
        self._applied = dict(applied or {})
        self._starts = starts
        self._size = (0, 0)
        self._gains = (1.0, 1.0)
        self._numbers: dict[str, float] = {"AeEnable": 1, "ExposureTime": 1000, "AnalogueGain": 1.0, "AwbEnable": 1}
        if has_focus:
            self._numbers |= {"AfMode": 0, "LensPosition": 1.0}
        self.main: dict[str, object] = {}
        self.controls: dict[str, object] = {}
        self.calls: list[str] = []

    @property
    def camera_controls(self) -> Mapping[str, object]:
        return {**self._numbers, "ColourGains": self._gains}

    def set_controls(self, controls: Mapping[str, object]) -> None:
        for name, value in controls.items():
            if name == "ColourGains" and isinstance(value, tuple):
                self._gains = value
            elif name in self._numbers and isinstance(value, int | float):
                self._numbers[name] = value
            elif name != "FrameRate":
                raise RuntimeError(f"Control {name} is not advertised by libcamera")

    def create_video_configuration(
        self, main: Mapping[str, object], controls: Mapping[str, object], buffer_count: int
    ) -> object:
        if buffer_count < 1:
            raise RuntimeError("a stream needs a buffer")
        self.main, self.controls = dict(main), dict(controls)
        size = main["size"]
        self._size = size if isinstance(size, tuple) else self._size
        return main

    def configure(self, camera_config: object) -> object:
        self.calls.append("configure")
        return camera_config

    def camera_configuration(self) -> Mapping[str, Mapping[str, object]]:
        return {"main": {**self.main, **self._applied}}

    def start(self) -> None:
        self.calls.append("start")
        if not self._starts:
            raise RuntimeError("Camera __init__ sequence did not complete.")
        self.set_controls(self.controls)

    def capture_request(self, wait: float) -> ScriptedRequest:
        step = next(self._script, TimeoutError(f"nothing for {wait:g} s"))
        if isinstance(step, Exception):
            raise step
        return step

    def stop(self) -> None:
        self.calls.append("stop")

    def close(self) -> None:
        self.calls.append("close")

    def _before_a_lamp(self) -> Iterator[ScriptedRequest]:
        """A warm lamp on grey paper: 1 ms at gain 1 makes 12 levels of green."""
        held = self._numbers
        while True:
            red, blue = self._gains
            if held["AeEnable"]:
                held["ExposureTime"] *= (_WANTED_LEVEL / self._level()) ** _PACE
            if held["AwbEnable"]:
                red, blue = red * (1 / (1.3 * red)) ** _PACE, blue * (1 / (0.6 * blue)) ** _PACE
            held["ExposureTime"] = round(held["ExposureTime"] / _LINE_US) * _LINE_US
            held["AnalogueGain"] = round(held["AnalogueGain"] / _GAIN_STEP) * _GAIN_STEP
            self._gains = red, blue
            level = self._level()
            told = {name: value for name, value in held.items() if name not in {"AeEnable", "AwbEnable", "AfMode"}}
            bgr = (level * 0.6 * blue, level, level * 1.3 * red)
            yield ScriptedRequest(self._size, bgr, {**told, "ColourGains": self._gains})

    def _level(self) -> float:
        return 0.012 * self._numbers["ExposureTime"] * self._numbers["AnalogueGain"]
