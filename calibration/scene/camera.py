"""The camera step: focus, let the automatics settle, lock them, and write down what the driver holds."""

from __future__ import annotations

import select
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from pydantic import JsonValue

from calibration.scene.eyepiece import Eyepiece, open_eyepiece
from calibration.scene.locking import Locked, check, lock, release
from calibration.scene.settling import Settling, Tint, rate_hz, tint_of
from calibration.talk import Desk
from edge.config.cameras import CameraSection
from edge.drift import sharpness
from edge.errors import UsageError
from edge.messages import Frame, Image
from edge.presence.settings import Region
from edge.presence.view import inside
from edge.site import CameraStep, RegionStep, SiteDescription

# An automatic that has not come to rest by then never does: the light flickers, or something moves.
_SETTLE_TIMEOUT_S = 15.0
# After a change of settings so many pictures still show the old ones.
_NUM_STALE = 4
_NUM_RATED = 30
# Of the picture's width and height: in less, no item can be told from noise.
_LEAST_REGION = 0.05
_BAR_WIDTH = 40


@dataclass(frozen=True, slots=True)
class Settled:
    """What came of waiting: how long it took, None when it never settled, and the last picture."""

    after_s: float | None
    frame: Frame


def calibrate_camera(desk: Desk, region: Region | None) -> None:
    """Focus, settle, lock and measure the configured camera, and offer what was found.

    Raises:
        UsageError: the region is too small for any item.
        CameraError, AccessDeniedError, TryAgainError: there are no pictures to be had.
    """
    if region is not None and min(region.right - region.left, region.bottom - region.top) < _LEAST_REGION:
        raise UsageError(
            f"expected a region of at least {_LEAST_REGION:g} of the picture's width and height, found {region.left:g}"
            f" {region.top:g} {region.right:g} {region.bottom:g}: no item fits in there"
        )
    section = desk.config.camera
    with open_eyepiece(section, controls={}) as eyepiece:
        automatics = release(eyepiece.controls) if eyepiece.controls else ()
        _aid_focus(desk, eyepiece, region)
        settled = _settle(eyepiece)
        _tell_settled(desk, settled)
        locked = lock(eyepiece.controls, automatics, _Looker(eyepiece)) if eyepiece.controls else Locked({}, ())
        frames = [eyepiece.next_frame() for _ in range(_NUM_RATED)]
        remarks = (*locked.remarks, *(check(eyepiece.controls, locked) if eyepiece.controls else ()))
    _tell_locked(desk, section, locked, remarks)
    step = _step(desk, section, locked, frames)
    desk.talk.say(
        f"{step.width_px} x {step.height_px} pixels, {step.rate_hz:.1f} frames/s really reached,"
        f" sharpness {step.sharpness:.0f}."
    )

    def edit(old: SiteDescription) -> SiteDescription:
        return old.model_copy(update={"camera": step, "region": _region_step(desk, old, region)})

    figures: dict[str, JsonValue] = {
        "settled_s": settled.after_s,
        "controls": dict(locked.controls),
        "remarks": list(remarks),
        "width_px": step.width_px,
        "height_px": step.height_px,
        "rate_hz": step.rate_hz,
        "sharpness": step.sharpness,
    }
    before = desk.folder.read()
    if desk.propose("camera", edit, figures=figures) and before.background and _sees_otherwise(before.camera, step):
        desk.talk.say("To be done again now: the empty scene looks otherwise: run `sorter calibrate background`.")


def meter(value: float, best: float) -> str:
    """One line of the focus aid.

    >>> meter(30.0, 60.0)
    'sharpness   30.0 [####################                    ] best   60.0'
    """
    filled = round(_BAR_WIDTH * value / best) if best > 0 else 0
    return f"sharpness {value:6.1f} [{'#' * filled:{_BAR_WIDTH}}] best {best:6.1f}"


def _aid_focus(desk: Desk, eyepiece: Eyepiece, region: Region | None) -> None:
    """Show the meter until Enter is pressed; only where there is somebody to turn the lens."""
    if desk.talk.is_sure or desk.talk.as_json or not sys.stdin.isatty():
        return
    desk.talk.say("Put an item with print on it where items will lie, and turn the lens until the number is largest.")
    desk.talk.say("Then take it out and press Enter.")
    best = 0.0
    for image in _until_enter(eyepiece):
        value = sharpness(inside(image, region or Region()))
        best = max(best, value)
        sys.stderr.write(f"\r{meter(value, best)}")
        sys.stderr.flush()
    desk.talk.say()


def _until_enter(eyepiece: Eyepiece) -> Iterator[Image]:
    while not select.select([sys.stdin], [], [], 0)[0]:
        yield eyepiece.next_frame().image
    sys.stdin.readline()


def _settle(eyepiece: Eyepiece) -> Settled:
    settling = Settling()
    frame = eyepiece.next_frame()
    began_s = frame.captured_at_s
    while not settling.update(tint_of(frame.image), frame.captured_at_s):
        if frame.captured_at_s - began_s > _SETTLE_TIMEOUT_S:
            return Settled(None, frame)
        frame = eyepiece.next_frame()
    return Settled(frame.captured_at_s - began_s, frame)


@dataclass(frozen=True, slots=True)
class _Looker:
    """The tint of the pictures that come after a change of settings has reached them."""

    eyepiece: Eyepiece

    def __call__(self) -> Tint:
        for _ in range(_NUM_STALE):
            self.eyepiece.next_frame()
        tints = [tint_of(self.eyepiece.next_frame().image) for _ in range(3)]
        light, warmth, green = np.median([(tint.light, tint.warmth, tint.green) for tint in tints], axis=0)
        return Tint(float(light), float(warmth), float(green))


def _tell_settled(desk: Desk, settled: Settled) -> None:
    if settled.after_s is None:
        desk.talk.say(
            f"Brightness or color still changed after {_SETTLE_TIMEOUT_S:.0f} s: does a lamp flicker, or does something"
            " move? The settings are locked as they are now."
        )
    else:
        desk.talk.say(f"Brightness and color stayed the same for a second, {settled.after_s:.1f} s after the start.")


def _tell_locked(desk: Desk, section: CameraSection, locked: Locked, remarks: tuple[str, ...]) -> None:
    if locked.controls:
        desk.talk.say("Locked, and read back from the driver:")
        for name, value in locked.controls.items():
            desk.talk.say(f"  {name} = {value:g}")
    else:
        desk.talk.say(f"The {section.backend} camera has no settings that could be locked from here.")
    named = sorted(getattr(section, "controls", {}))
    if named and locked.controls:
        desk.talk.say(f"The configuration sets {', '.join(named)} itself, and has the last word: take them out there.")
    for remark in remarks:
        desk.talk.say(f"  note: {remark}")


def _step(desk: Desk, section: CameraSection, locked: Locked, frames: list[Frame]) -> CameraStep:
    height_px, width_px = frames[-1].image.shape[:2]
    return CameraStep(
        made_at=desk.now(),
        backend=section.backend,
        width_px=width_px,
        height_px=height_px,
        rate_hz=round(rate_hz([frame.captured_at_s for frame in frames]), 2),
        sharpness=round(float(np.median([sharpness(frame.image) for frame in frames[::6]])), 1),
        controls=locked.controls,
    )


def _sees_otherwise(before: CameraStep | None, now: CameraStep) -> bool:
    """Whether the same scene gives another picture since."""
    if before is None:
        return True
    return (before.width_px, before.height_px, before.controls) != (now.width_px, now.height_px, now.controls)


def _region_step(desk: Desk, old: SiteDescription, region: Region | None) -> RegionStep | None:
    if region is None:
        return old.region
    return RegionStep(made_at=desk.now(), left=region.left, top=region.top, right=region.right, bottom=region.bottom)
