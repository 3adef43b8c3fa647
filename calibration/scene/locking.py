"""Switching a camera's automatics off where they have come to rest, and reading back what the driver holds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from calibration.scene.settling import Tint
from edge.cameras.csi import COLOUR_GAINS

# A locked picture may differ this much from the automatic one, as a share.
_LIGHT_TOLERANCE = 0.05
_WARMTH_TOLERANCE = 0.04
_MAX_TRIES = 8
# Gains are floats that a sensor holds in steps.
_SAME = 0.005
# Screens and cameras: levels grow with this power of the light.
_GAMMA = 2.2
# The lamps there are, kelvin.
_COLDEST_K, _WARMEST_K = 2500.0, 8000.0


@dataclass(frozen=True, slots=True)
class Automatic:
    """One automatic: its switch, the switch's values, and the settings that it moves."""

    switch: str
    on: tuple[float, ...]
    off: float
    settings: tuple[str, ...]


# Values as Linux counts them (videodev2.h): exposure 0 and 3 are automatics, 1 is by hand.
EXPOSURE = Automatic("auto_exposure", (3.0, 0.0), 1.0, ("exposure",))
WHITE_BALANCE = Automatic("auto_white_balance", (1.0,), 0.0, ("white_balance_k",))
FOCUS = Automatic("autofocus", (1.0,), 0.0, ("focus",))
# As libcamera does (control_ids.yaml): AfMode 2 focuses all the time, 0 by hand.
MODULE_EXPOSURE = Automatic("AeEnable", (1.0,), 0.0, ("ExposureTime", "AnalogueGain"))
MODULE_WHITE_BALANCE = Automatic("AwbEnable", (1.0,), 0.0, COLOUR_GAINS)
MODULE_FOCUS = Automatic("AfMode", (2.0,), 0.0, ("LensPosition",))
USB_AUTOMATICS = (EXPOSURE, WHITE_BALANCE, FOCUS)
MODULE_AUTOMATICS = (MODULE_EXPOSURE, MODULE_WHITE_BALANCE, MODULE_FOCUS)


class Controls(Protocol):
    """The settings of a camera, by the names of `edge.cameras.usb.CONTROLS`, or by libcamera's."""

    @property
    def automatics(self) -> tuple[Automatic, ...]:
        """Those that such a camera may have."""
        ...

    def control(self, name: str) -> float:
        """What the driver holds now."""
        ...

    def set_control(self, name: str, value: float) -> bool:
        """Ask for a value; whether the driver takes it."""
        ...


@dataclass(frozen=True, slots=True)
class Locked:
    """Settings in the order in which they must be made, and what a person should know of them."""

    controls: dict[str, float]
    remarks: tuple[str, ...]


def release(controls: Controls) -> tuple[Automatic, ...]:
    """Switch every automatic on; those that the camera has."""
    return tuple(
        each for each in controls.automatics if any(controls.set_control(each.switch, value) for value in each.on)
    )


def lock(controls: Controls, automatics: tuple[Automatic, ...], look: Callable[[], Tint]) -> Locked:
    """Switch the automatics off and keep the picture as it is; `look` gives the tint after the last change."""
    wanted = look()
    before = {name: controls.control(name) for each in automatics for name in each.settings}
    held: list[str] = []
    remarks: list[str] = []
    for each in automatics:
        if not controls.set_control(each.switch, each.off):
            remarks.append(f"the camera does not let {each.switch} be switched off: it may change by itself")
            continue
        held += [each.switch, *each.settings]
        for name in each.settings:
            controls.set_control(name, before[name])
        # Some drivers of USB cameras do not tell what their automatic chose: the picture does.
        if each is EXPOSURE:
            remarks += _match_light(controls, wanted, look)
        elif each is WHITE_BALANCE:
            remarks += _match_warmth(controls, wanted, look)
    if EXPOSURE in automatics and controls.set_control("gain", controls.control("gain")):
        held.append("gain")
    now = look()  # a camera module tells with its pictures what it holds
    if MODULE_EXPOSURE in automatics and not _is_like(now.light, wanted.light):
        remarks.append(_other_light(now, wanted))
    return Locked({name: controls.control(name) for name in held}, tuple(remarks))


def check(controls: Controls, locked: Locked) -> Iterator[str]:
    """What the driver holds otherwise than it was locked, a sentence each."""
    for name, value in locked.controls.items():
        if not math.isclose(now := controls.control(name), value, rel_tol=_SAME):
            yield f"{name} was locked at {value:g}, the driver now holds {now:g}"


def _is_like(light: float, wanted: float) -> bool:
    return abs(light / max(1.0, wanted) - 1) <= _LIGHT_TOLERANCE


def _other_light(now: Tint, wanted: Tint) -> str:
    return f"locked, the picture has brightness {now.light:.0f}; the camera's automatic made it {wanted.light:.0f}"


def _match_light(controls: Controls, wanted: Tint, look: Callable[[], Tint]) -> list[str]:
    for _ in range(_MAX_TRIES):
        now = look()
        if _is_like(now.light, wanted.light):
            return []
        factor = (max(1.0, wanted.light) / max(1.0, now.light)) ** _GAMMA
        exposure = max(1.0, round(controls.control("exposure") * min(4.0, max(0.25, factor))))
        controls.set_control("exposure", exposure)
    return [_other_light(now, wanted)]


def _match_warmth(controls: Controls, wanted: Tint, look: Callable[[], Tint]) -> list[str]:
    """Find the color temperature by halving: a higher one makes a warmer picture."""
    low, high = _COLDEST_K, _WARMEST_K
    for _ in range(_MAX_TRIES):
        now = look()
        if abs(now.warmth / wanted.warmth - 1) <= _WARMTH_TOLERANCE:
            return []
        at_k = controls.control("white_balance_k")
        low, high = (at_k, high) if now.warmth < wanted.warmth else (low, at_k)
        controls.set_control("white_balance_k", round((low + high) / 2))
    return ["the locked colors differ from what the camera's automatic made: look whether white is white"]
