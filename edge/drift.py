"""Whether the camera still sees the empty scene as on the day of calibration, in words when it does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le

Level = Annotated[float, Ge(0), Le(255)]


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What the empty scene looked like in numbers.

    `brightness` and the colors are means in grey levels, 0..255; `sharpness` is the variance of the
    Laplacian of the brightness; `noise` the spread of a pixel around its mean, in grey levels.
    """

    brightness: Level
    red: Level
    green: Level
    blue: Level
    sharpness: Annotated[float, Ge(0)]
    noise: Annotated[float, Ge(0)]
