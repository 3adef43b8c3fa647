"""The background step: the empty scene, how much it varies by itself, and its fingerprint of the first day."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import cv2
import numpy as np
from pydantic import JsonValue

from calibration.scene.emptiness import suspects
from calibration.scene.eyepiece import Eyepiece, open_eyepiece
from calibration.talk import Desk
from edge.assembly.parts import Parts
from edge.config.cameras import ReplayCameraSection
from edge.drift import Fingerprint, fingerprint
from edge.errors import CameraLostError, CheckFailedError
from edge.listing import counted
from edge.messages import Box, Frame, Image, Phase
from edge.preprocess import crop
from edge.presence.learning import has_changed
from edge.presence.planes import Floats, to_log
from edge.presence.settings import PresenceSettings
from edge.presence.view import View
from edge.site import VARIATION_STEPS, BackgroundStep, SiteDescription, part_name

# How long the scene must lie still, and after how long it is said that it never does.
_STILL_S, _TIMEOUT_S = 2.0, 12.0
_FEWEST_FRAMES = 8
# The variation is that of so many pixels each way together, as presence sees them.
VARIATION_STEP_PX = 4


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """The empty scene: `picture` (H, W, 3) uint8 RGB is the mean of `num_frames`.

    `variation` (H/4, W/4) is how much each 4 x 4 pixels vary by themselves, in grey levels: their standard deviation.
    """

    picture: Image
    variation: Floats
    num_frames: int


class SceneMean:
    """The mean and the spread of pictures of one size, kept without the pictures."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        height, width = shape[:2]
        self._size = (max(1, width // VARIATION_STEP_PX), max(1, height // VARIATION_STEP_PX))
        self._sum: Floats = np.zeros(shape, np.float32)
        self._small_sum: Floats = np.zeros((self._size[1], self._size[0], 3), np.float32)
        self._squares: Floats = np.zeros_like(self._small_sum)
        self.num_frames = 0

    def add(self, image: Image) -> None:
        """One more picture."""
        small = cv2.resize(image.astype(np.float32), self._size, interpolation=cv2.INTER_AREA)
        cv2.accumulate(image, self._sum)
        cv2.accumulate(small, self._small_sum)
        cv2.accumulateSquare(small, self._squares)
        self.num_frames += 1

    def scene(self) -> Scene:
        """What all of them have in common."""
        mean, small = self._sum / self.num_frames, self._small_sum / self.num_frames
        variance = np.maximum(self._squares / self.num_frames - small * small, 0.0)
        spread = np.sqrt(variance.mean(axis=2), dtype=np.float32)
        return Scene(np.rint(mean).astype(np.uint8), spread, self.num_frames)


def calibrate_background(desk: Desk, images: Path | None, *, is_empty: bool) -> None:
    """Learn the empty scene from the camera, or from a folder of pictures, and offer it.

    `is_empty`: the owner has looked, and nothing lies there.

    Raises:
        CheckFailedError: something moves, or seems to lie there.
        CameraError: there are no pictures to be had.
    """
    parts = desk.parts()
    settings = parts.presence_settings
    if images is None:
        desk.talk.wait("Take everything out of the picture, close the lid, and keep your hands away")
    section = parts.camera() if images is None else ReplayCameraSection(backend="replay", source=images)
    with open_eyepiece(section) as eyepiece:
        scene, last = (watch_still if images is None else mean_of_folder)(eyepiece, settings)
    if not is_empty:
        _check_empty(desk, parts, scene, View.of(last.image, settings).region, last)
    step, kept = _step(desk, scene, last)
    _tell(desk, scene, step.fingerprint)

    def edit(old: SiteDescription) -> SiteDescription:
        return old.model_copy(update={"background": step})

    found = step.fingerprint
    figures: dict[str, JsonValue] = {
        "num_frames": scene.num_frames,
        "brightness": found.brightness,
        "color": [found.red, found.green, found.blue],
        "sharpness": found.sharpness,
        "noise": found.noise,
    }
    desk.propose("background", edit, kept, {"fingerprint": figures})


def watch_still(eyepiece: Eyepiece, settings: PresenceSettings) -> tuple[Scene, Frame]:
    """The scene once its region has lain still for two seconds, and its last picture.

    Raises:
        CheckFailedError: something moved all the time.
        CameraError: there are no more pictures.
    """
    frame = eyepiece.next_frame()
    view, began_s = View.of(frame.image, settings), frame.captured_at_s
    first, mean, since_s = to_log(view.shrink(frame.image)), SceneMean(frame.image.shape), began_s
    while True:
        mean.add(frame.image)
        if mean.num_frames >= _FEWEST_FRAMES and frame.captured_at_s - since_s >= _STILL_S:
            return mean.scene(), frame
        if frame.captured_at_s - began_s > _TIMEOUT_S:
            raise CheckFailedError(_moves(f"something moved all through {_TIMEOUT_S:.0f} s"))
        frame = eyepiece.next_frame()
        now = to_log(view.shrink(frame.image))
        if has_changed(first, now):
            first, mean, since_s = now, SceneMean(frame.image.shape), frame.captured_at_s


def mean_of_folder(eyepiece: Eyepiece, settings: PresenceSettings) -> tuple[Scene, Frame]:
    """The scene that all pictures of a folder show, however few, and the last of them.

    Raises:
        CheckFailedError: they differ from each other within the region.
        CameraError: there is none.
    """
    first = eyepiece.next_frame()
    view, mean = View.of(first.image, settings), SceneMean(first.image.shape)
    shown = to_log(view.shrink(first.image))
    for last in chain([first], _all_of(eyepiece)):
        if has_changed(shown, to_log(view.shrink(last.image))):
            raise CheckFailedError(_moves("the pictures differ from each other"))
        mean.add(last.image)
    return mean.scene(), last


def encode_scene(scene: Scene) -> dict[str, bytes]:
    """The scene's two parts, `background.png` and `variation.png`, losslessly."""
    steps = np.rint(np.minimum(scene.variation * VARIATION_STEPS, 65535)).astype(np.uint16)
    pictures = {"background.png": cv2.cvtColor(scene.picture, cv2.COLOR_RGB2BGR), "variation.png": steps}
    return {kind: cv2.imencode(".png", picture)[1].tobytes() for kind, picture in pictures.items()}


def _all_of(eyepiece: Eyepiece) -> Iterator[Frame]:
    """All that come of what has an end."""
    with suppress(CameraLostError):
        while True:
            yield eyepiece.next_frame()


def _moves(what: str) -> str:
    return f"expected an empty scene at rest, but {what}: take everything out, keep hands away, and try again"


def _check_empty(desk: Desk, parts: Parts, scene: Scene, region: Box, last: Frame) -> None:
    """Refuse what does not look empty, unless the owner says that it is."""
    known = _against_known(parts, last)
    found = known or suspects(crop(scene.picture, region))
    if not found:
        return
    places = ", ".join(f"{box.width} x {box.height} pixels at {box.x}, {box.y}" for box in found[:3])
    reason = "is not in the empty scene that was calibrated last" if known else "stands out from the ground"
    question = f"Something {reason}: {places}. Is the scene really empty?"
    if desk.talk.is_sure or not desk.talk.ask(question, default=False):
        raise CheckFailedError(
            f"expected an empty scene, but something {reason} ({places}): take it out and try again;"
            " if it belongs to the scene, add --empty"
        )


def _against_known(parts: Parts, last: Frame) -> list[Box]:
    """What presence sees in the last picture, by the background that was calibrated before."""
    if parts.site.background is None or parts.site.background.shape != last.image.shape:
        return []
    presence = parts.presence().update(last)
    return [] if presence.phase is Phase.EMPTY else list(presence.things or (presence.box,) if presence.box else ())


def _step(desk: Desk, scene: Scene, last: Frame) -> tuple[BackgroundStep, dict[str, bytes]]:
    parts = encode_scene(scene)
    names = {kind: part_name(kind, content) for kind, content in parts.items()}
    step = BackgroundStep(
        made_at=desk.now(),
        picture=names["background.png"],
        variation=names["variation.png"],
        num_frames=scene.num_frames,
        fingerprint=fingerprint(last.image, float(scene.variation.mean())),
    )
    return step, {names[kind]: content for kind, content in parts.items()}


def _tell(desk: Desk, scene: Scene, found: Fingerprint) -> None:
    say = desk.talk.say
    say(f"The empty scene, from {counted(scene.num_frames, 'picture')} in which nothing moved:")
    colors = f"red {found.red:.0f}, green {found.green:.0f}, blue {found.blue:.0f}"
    say(f"  brightness {found.brightness:.0f} of 255 ({colors})")
    say(f"  sharpness {found.sharpness:.1f}; each part varies by {found.noise:.1f} levels by itself")
    if scene.num_frames < _FEWEST_FRAMES:
        say(f"  note: it takes {_FEWEST_FRAMES} pictures to tell how much it varies: give more, or use the camera.")
    if found.brightness < 50:
        say("  note: that is dark. Glass, metal and plastic look alike in the dark: add a lamp under the lid.")
    if found.brightness > 220:
        say("  note: that is glaring. Shade the lamp, or shorten the exposure, or bright items lose their structure.")
