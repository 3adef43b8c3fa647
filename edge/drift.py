"""Whether the camera still sees the empty scene as on the day of calibration, in words when it does not."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Annotated

import cv2
import numpy as np
from annotated_types import Ge, Le

from edge.messages import Image, Phase, Sight
from edge.presence.planes import DARK_LEVEL, Floats
from edge.presence.settings import Region
from edge.presence.view import inside

log = logging.getLogger(__name__)

Level = Annotated[float, Ge(0), Le(255)]

# Sharpness is judged at this width: beyond it, a webcam's own noise and sharpening speak.
_SHARP_WIDTH_PX = 640
# Movements are looked for at this width, and believed from so many pixels of it on.
_MOVE_WIDTH_PX, _LEAST_MOVE_PX = 320, 1.2
# Correlations of the edges: what a moved scene must reach, and by how much it must be better than an unmoved one.
_ALIKE, _MORE_ALIKE = 0.3, 0.1
# Ratios to the reference: a lamp that failed, light that another item's scores would feel, a color that one sees.
_LAMP_OFF, _OTHER_LIGHT, _OTHER_COLOR = 0.25, 1.4, 1.12
# Above this grey level the sensor is full.
_FULL = 240.0
# Next to no fine structure: where there was none, none is missing.
_NOTHING = 1e-6
# Half of the fine structure gone is a lens that nobody would focus so.
_BLURRED = 0.5
# Log units of brightness that a spot takes or adds, at this width, and the share of the picture that matters.
_SPOT_DEPTH, _SPOT_WIDTH_PX, _SPOTTED = 0.15, 160, 0.015


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What the empty scene looked like in numbers.

    `brightness` and the colors are means in grey levels, 0..255; `sharpness` as `sharpness` gives it; `noise` is the
    spread of a pixel around its mean, in grey levels.
    """

    brightness: Level
    red: Level
    green: Level
    blue: Level
    sharpness: Annotated[float, Ge(0)]
    noise: Annotated[float, Ge(0)]


@dataclass(frozen=True, slots=True)
class Drift:
    """How an empty scene differs from its reference.

    `light`, `warmth` (red over blue) and `tint` (green over the others) are ratios to the reference's, 1 for none;
    `right_px` and `down_px` is where the camera moved, in pixels of the reference, 0 where that cannot be told;
    `sharpness` is a ratio too, and `spot` the share of the picture that is veiled or darkened by itself.
    """

    light: float
    warmth: float
    tint: float
    right_px: int
    down_px: int
    sharpness: float
    spot: float


def fingerprint(image: Image, noise: float = 0.0) -> Fingerprint:
    """The fingerprint of one picture, (H, W, 3) uint8 RGB."""
    red, green, blue = (round(float(level), 2) for level in cv2.mean(image)[:3])
    brightness = round((red + green + blue) / 3, 2)
    return Fingerprint(brightness, red, green, blue, round(sharpness(image), 1), round(noise, 2))


def sharpness(image: Image) -> float:
    """How much fine structure a picture has, whatever its light: 0 for none; comparable within one scene only.

    The variance of the Laplacian of a Gaussian over the squared brightness, times 100,000.
    """
    height, width = image.shape[:2]
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    if width > _SHARP_WIDTH_PX:
        size = (_SHARP_WIDTH_PX, max(1, round(height * _SHARP_WIDTH_PX / width)))
        gray = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
    level = max(1.0, float(gray.mean()))
    # Smoothed first, since noise is the finest structure of all.
    smooth = cv2.GaussianBlur(gray.astype(np.float32), (0, 0), 1.0)
    return float(cv2.meanStdDev(cv2.Laplacian(smooth, cv2.CV_32F))[1][0, 0]) ** 2 / level**2 * 1e5


def measure(reference: Image, now: Image) -> Drift:
    """Hold the empty scene `now` against `reference`, both (H, W, 3) uint8 RGB of one shape."""
    light, warmth, tint = _ratios(reference, now)
    right_px, down_px = _movement(reference, now)
    fine_before, fine_now = sharpness(reference) + _NOTHING, sharpness(now) + _NOTHING
    spot = 0.0 if right_px or down_px else _spot(reference, now, light)
    return Drift(light, warmth, tint, right_px, down_px, fine_now / fine_before, spot)


def compare(reference: Image, now: Image, region: Region) -> Drift:
    """As `measure`, of what lies in the region; of any one size, at the width up to which it tells more than noise."""
    reference, now = inside(reference, region), inside(now, region)
    height, width = reference.shape[:2]
    scale = max(1.0, width / _SHARP_WIDTH_PX)
    size = (round(width / scale), round(height / scale))
    before, after = (
        np.asarray(cv2.resize(one, size, interpolation=cv2.INTER_AREA), np.uint8) for one in (reference, now)
    )
    return _enlarged(measure(before, after), scale)


def sentences(drift: Drift) -> Iterator[str]:
    """What is wrong, in an owner's words, the gravest first; nothing when all is as it was."""
    if drift.light < _LAMP_OFF:
        yield "lamp off: the empty scene is dark; look after the lamp under the lid"
        return  # in the dark there is nothing else to be told
    if drift.right_px or drift.down_px:
        yield f"camera moved {_way(drift)}: put it back, or run `sorter calibrate background` again"
    if not 1 / _OTHER_LIGHT < drift.light < _OTHER_LIGHT:
        change = "darker" if drift.light < 1 else "brighter"
        yield f"light changed: the empty scene is {abs(drift.light - 1):.0%} {change}; look after the lamp and the lid"
    if color := _color(drift):
        yield f"color shifted towards {color}: look after the lamp, or run `sorter calibrate camera` again"
    if drift.sharpness < _BLURRED:
        yield "picture blurred: the lens is dirty or out of focus; clean it, or run `sorter calibrate camera`"
    elif drift.spot > _SPOTTED:
        yield (
            f"lens dirty, or something lies there: {drift.spot:.0%} of the picture is veiled, darkened or covered;"
            " clean the lens, its window and the ground"
        )


def _ratios(reference: Image, now: Image) -> tuple[float, float, float]:
    before, after = (np.array(cv2.mean(image)[:3]) + 1.0 for image in (reference, now))
    red, green, blue = after / before
    return float(after.mean() / before.mean()), float(red / blue), float(2 * green / (red + blue))


def _movement(reference: Image, now: Image) -> tuple[int, int]:
    """Where the camera moved: how far the scene did, the other way round; 0, 0 unless that explains the difference."""
    scale = max(1.0, reference.shape[1] / _MOVE_WIDTH_PX)
    before, after = _structure(reference, scale), _structure(now, scale)
    window = cv2.createHanningWindow((before.shape[1], before.shape[0]), cv2.CV_32F)
    (x, y), _ = cv2.phaseCorrelate(before, after, window)
    if max(abs(x), abs(y)) < _LEAST_MOVE_PX or not _explains(before, after, x, y):
        return 0, 0
    return round(-x * scale), round(-y * scale)


def _structure(image: Image, scale: float) -> Floats:
    """Edges, whatever the light: the gradient of the logarithm, kept from being ruled by a few."""
    height, width = image.shape[:2]
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(gray, (round(width / scale), round(height / scale)), interpolation=cv2.INTER_AREA)
    shade = np.log(small.astype(np.float32) + DARK_LEVEL)
    across, down = cv2.Sobel(shade, cv2.CV_32F, 1, 0), cv2.Sobel(shade, cv2.CV_32F, 0, 1)
    return np.asarray(np.tanh(4.0 * cv2.magnitude(across, down)), np.float32)


def _explains(before: Floats, after: Floats, x: float, y: float) -> bool:
    """Whether moving the scene by x, y makes it far more alike, away from the rim that came into view."""
    height, width = before.shape
    moved = cv2.warpAffine(before, np.array([[1, 0, x], [0, 1, y]], np.float32), (width, height))
    rim_x, rim_y = int(abs(x)) + 2, int(abs(y)) + 2
    if 2 * rim_x >= width or 2 * rim_y >= height:
        return False
    inside = (slice(rim_y, height - rim_y), slice(rim_x, width - rim_x))
    as_it_was = float(np.corrcoef(before[inside].ravel(), after[inside].ravel())[0, 1])
    as_moved = float(np.corrcoef(moved[inside].ravel(), after[inside].ravel())[0, 1])
    return as_moved > _ALIKE and as_moved > as_it_was + _MORE_ALIKE


def _spot(reference: Image, now: Image, light: float) -> float:
    """The share of the picture whose brightness changed otherwise than that of the rest around it."""
    size = (_SPOT_WIDTH_PX, max(8, round(reference.shape[0] * _SPOT_WIDTH_PX / reference.shape[1])))
    before, after = (_soft_gray(image, size) for image in (reference, now))
    change = np.log(after / light + DARK_LEVEL) - np.log(before + DARK_LEVEL)
    # Where the sensor is full it tells nothing.
    is_told = (np.maximum(before * light, after) < _FULL).reshape(-1)
    # A lamp that ages or moves changes the light smoothly: a plane over the picture explains it.
    y, x = np.mgrid[-1 : 1 : size[1] * 1j, -1 : 1 : size[0] * 1j]
    terms = np.stack([np.ones_like(x), x, y], axis=-1).reshape(-1, 3)
    values = change.reshape(-1).astype(np.float64)
    is_plain = is_told
    for _ in range(4):
        if is_plain.mean() < 0.3:
            return 0.0  # everything changed: another scene, not a spot
        plane = terms @ np.linalg.lstsq(terms[is_plain], values[is_plain], rcond=None)[0]
        is_plain = is_told & (np.abs(values - plane) < _SPOT_DEPTH)
    return float((is_told & ~is_plain).mean())


def _soft_gray(image: Image, size: tuple[int, int]) -> Floats:
    gray = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_AREA)
    return cv2.GaussianBlur(gray.astype(np.float32), (0, 0), 1.5)  # type: ignore[return-value]


def _way(drift: Drift) -> str:
    across = f"{abs(drift.right_px)} px {'right' if drift.right_px > 0 else 'left'}" if drift.right_px else ""
    down = f"{abs(drift.down_px)} px {'down' if drift.down_px > 0 else 'up'}" if drift.down_px else ""
    return " and ".join(filter(None, (across, down)))


def _color(drift: Drift) -> str:
    """The color that became stronger, empty when none did."""
    shifts = {
        "red": drift.warmth,
        "blue": 1 / drift.warmth,
        "green": drift.tint,
        "purple": 1 / drift.tint,
    }
    name = max(shifts, key=lambda each: shifts[each])
    return name if shifts[name] > _OTHER_COLOR else ""


class DriftWatch:
    """Looks at the empty scene now and then, and says when it is not what it was, and when it is again.

    An observer of the loop, in its thread: a sample every `interval_s` while nothing lies there, and a comparison
    (some ten milliseconds) every `num_samples` of them. What is said twice in a row is reported.

    Args:
        reference: the empty scene of the day of calibration, (H, W, 3) uint8 RGB.
        region: nothing outside of it counts.
        report: is told the sentences in one, None when all is well again.
    """

    def __init__(
        self,
        reference: Image,
        region: Region,
        report: Callable[[str | None], None],
        interval_s: float = 10.0,
        num_samples: int = 6,
        stuck_s: float = 1800.0,
    ) -> None:
        self._region = region
        reference = inside(reference, region)
        height, width = reference.shape[:2]
        scale = max(1.0, width / _SHARP_WIDTH_PX)
        self._scale = scale
        self._size = (round(width / scale), round(height / scale))
        self._reference: Image = cv2.resize(reference, self._size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        self._report = report
        self._interval_s, self._num_samples, self._stuck_s = interval_s, num_samples, stuck_s
        self._sum: Floats = np.zeros((*self._reference.shape,), np.float32)
        self._num = 0
        self._next_s = 0.0
        self._empty_s: float | None = None
        self._suspected: tuple[str, ...] = ()
        self._reported: tuple[str, ...] = ()

    def __call__(self, sight: Sight) -> None:
        """Take what was seen."""
        now_s = sight.frame.captured_at_s
        if self._empty_s is None or sight.presence.phase is Phase.EMPTY:
            self._empty_s = now_s
        if sight.presence.phase is not Phase.EMPTY:
            if now_s - self._empty_s > self._stuck_s:
                self._tell(
                    (f"never empty for {self._stuck_s / 60:.0f} min: something lies or moves before the camera",)
                )
            return
        if now_s < self._next_s:
            return
        self._next_s = now_s + self._interval_s
        self._sample(sight.frame.image)

    def _sample(self, image: Image) -> None:
        cv2.accumulate(cv2.resize(inside(image, self._region), self._size, interpolation=cv2.INTER_AREA), self._sum)
        self._num += 1
        if self._num < self._num_samples:
            return
        mean = np.rint(self._sum / self._num).astype(np.uint8)
        self._sum[:], self._num = 0.0, 0
        found = tuple(sentences(_enlarged(measure(self._reference, mean), self._scale)))
        # Numbers in a sentence may differ from one time to the next; what it is about may not.
        if _subjects(found) == _subjects(self._suspected):
            self._tell(found)
        self._suspected = found

    def _tell(self, found: tuple[str, ...]) -> None:
        if _subjects(found) == _subjects(self._reported):
            return
        self._reported = found
        self._report("; ".join(found) or None)
        if found:
            log.warning("the scene has changed since calibration: %s", "; ".join(found))
        else:
            log.warning("the scene is again as it was at calibration")


def _enlarged(drift: Drift, scale: float) -> Drift:
    """The same with movements in pixels of the frame."""
    return replace(drift, right_px=round(drift.right_px * scale), down_px=round(drift.down_px * scale))


def _subjects(found: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(" ".join(sentence.split()[:2]) for sentence in found)
