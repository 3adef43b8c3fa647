"""What lamp, lens and sensor do to a scene before a frame comes out."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.messages import Image

Floats = NDArray[np.float32]


_NOISE_ROOM_PX = 97


@dataclass(frozen=True, slots=True)
class Conditions:
    """How a camera sees.

    Attributes:
        exposure_drift: slow swing of the exposure, as a share, with a period of `drift_period_s`.
        exposure_step: sudden change of exposure, as a share, every `step_every_s` seconds.
        cast: slow swing of the white balance, as a share.
        flicker: brightness that changes from frame to frame, as a share.
        banding: the rolling stripes of mains light, as a share.
        noise: standard deviation of the sensor's noise at mid grey, grey levels.
        jitter_px: how far the picture trembles, standard deviation in pixels.
        shift_px: a bump that moves the camera for good, in the middle of the clip, pixels.
        blur_px: standard deviation of the lens' blur, pixels.
        jpeg_quality: 1..100, as a camera's own encoder.
        brightness: of the lamp, 1 as the pictures were taken; noise stays what the light makes it.
        tint: of the lamp, gain of red, green and blue.
    """

    exposure_drift: float = 0.05
    drift_period_s: float = 20.0
    exposure_step: float = 0.0
    step_every_s: float = 7.0
    cast: float = 0.02
    flicker: float = 0.005
    banding: float = 0.0
    noise: float = 2.0
    jitter_px: float = 0.2
    shift_px: float = 0.0
    blur_px: float = 0.5
    jpeg_quality: int = 80
    brightness: float = 1.0
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Conditions:
        """Conditions as they vary from site to site."""
        return cls(
            exposure_drift=float(rng.uniform(0, 0.2)),
            drift_period_s=float(rng.uniform(8, 60)),
            exposure_step=float(rng.choice([0.0, rng.uniform(-0.25, 0.3)])),
            cast=float(rng.uniform(0, 0.05)),
            flicker=float(rng.choice([0.0, rng.uniform(0, 0.03)])),
            banding=float(rng.choice([0.0, 0.0, rng.uniform(0, 0.04)])),
            noise=float(rng.uniform(0.5, 6)),
            jitter_px=float(rng.choice([0.0, rng.uniform(0, 0.6)])),
            blur_px=float(rng.uniform(0.3, 1.5)),
            jpeg_quality=int(rng.integers(55, 95)),
        )


class Lens:
    """Turns ideal pictures into frames, in the order of their times."""

    def __init__(self, conditions: Conditions, rng: np.random.Generator, shift_at_s: float) -> None:
        self._conditions = conditions
        self._rng = rng
        self._shift_at_s = shift_at_s
        self._shift = rng.uniform(-1, 1, 2)
        self._shift *= conditions.shift_px / max(1e-6, float(np.hypot(*self._shift)))
        self._noise: Floats | None = None
        self._phases = rng.uniform(0, 2 * np.pi, 5)

    def photograph(self, scene: Floats, at_s: float) -> Image:
        """The frame (H, W, 3) uint8 of a scene (H, W, 3) float32 0..255, at `at_s` seconds."""
        conditions = self._conditions
        picture = self._move(scene, at_s)
        if conditions.blur_px > 0:
            picture = cv2.GaussianBlur(picture, (0, 0), conditions.blur_px)  # type: ignore[assignment]
        picture *= self._light(picture.shape[0], at_s)
        frame = np.clip(np.rint(self._noisy(picture)), 0, 255).astype(np.uint8)
        return _through_jpeg(frame, conditions.jpeg_quality)

    def _noisy(self, picture: Floats) -> Floats:
        """With shot noise, whose variance grows with the light."""
        height, width = picture.shape[:2]
        if self._noise is None:
            # Drawn once, larger than the picture, and read from a random place: drawing it anew for
            # each frame takes longer than everything else together.
            shape = (height + _NOISE_ROOM_PX, width + _NOISE_ROOM_PX, 3)
            self._noise = self._rng.standard_normal(shape, np.float32)
        y, x = self._rng.integers(0, _NOISE_ROOM_PX, 2)
        noise = self._noise[y : y + height, x : x + width]
        sigma = cv2.sqrt(np.maximum(picture, np.float32(8)))
        return cv2.add(picture, cv2.multiply(noise, sigma, scale=self._conditions.noise / np.sqrt(128)))  # type: ignore[return-value]

    def _move(self, scene: Floats, at_s: float) -> Floats:
        x, y = self._rng.normal(0, 1, 2) * self._conditions.jitter_px
        if at_s >= self._shift_at_s:
            x, y = x + self._shift[0], y + self._shift[1]
        if x == 0 and y == 0:
            return scene
        matrix = np.array([[1, 0, x], [0, 1, y]], np.float32)
        size = (scene.shape[1], scene.shape[0])
        return cv2.warpAffine(scene, matrix, size, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[return-value]

    def _light(self, height: int, at_s: float) -> Floats:
        """Gain by row and channel, (H, 1, 3)."""
        conditions, turn = self._conditions, 2 * np.pi * at_s / self._conditions.drift_period_s
        gain = 1 + conditions.exposure_drift * np.sin(turn + self._phases[0])
        if int(at_s // conditions.step_every_s) % 2:
            gain *= 1 + conditions.exposure_step
        gain *= 1 + conditions.flicker * self._rng.standard_normal()
        color = 1 + conditions.cast * np.sin(turn * np.array([0.7, 1.1, 1.6]) + self._phases[1:4])
        rows = np.arange(height) / height * 2 * np.pi * 1.7 + self._phases[4] + at_s * 5
        stripes = 1 + conditions.banding * np.sin(rows)
        color *= conditions.brightness * np.array(conditions.tint)
        light: Floats = (gain * stripes[:, None, None] * color).astype(np.float32)
        return light


def _through_jpeg(frame: Image, quality: int) -> Image:
    _, encoded = cv2.imencode(".jpg", frame[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), dtype=np.uint8)
    return np.ascontiguousarray(decoded[..., ::-1])
