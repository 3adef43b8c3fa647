"""What an owner may set about presence; the defaults hold for bins from 20 cm to 1 m wide."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from annotated_types import Ge, Gt, Le

from edge.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Region:
    """A part of the picture in shares of its width and height, 0..1; the default is all of it."""

    left: float = 0.0
    top: float = 0.0
    right: float = 1.0
    bottom: float = 1.0

    def __post_init__(self) -> None:
        if not (0 <= self.left < self.right <= 1 and 0 <= self.top < self.bottom <= 1):
            raise ConfigError(
                "region of interest: expected 0 <= left < right <= 1 and 0 <= top < bottom <= 1, "
                f"found {self}; give shares of the picture's width and height"
            )


@dataclass(frozen=True, slots=True)
class PresenceSettings:
    """When something counts as an item.

    Attributes:
        region: nothing outside of it counts.
        settle_s: how long the foreground lies still before the item is SETTLED, seconds.
        arm_settle_s: the same for what reaches into the picture as an arm does all the time, seconds.
        min_area: the smallest item, as a share of the region's area, 0..1.
        sensitivity: 1 by default; 2 sees half the difference, and more nonsense.
        learn_s: how long an unknown empty scene must lie still to be learned, seconds; 0 takes the first frame.
        learn_timeout_s: after so long without stillness the median of what was seen is taken, seconds.
        adapt_s: time constant with which the empty scene follows the light, seconds.
        absorb_s: what has lain still for so long, in all since nothing was there, becomes part of the empty scene,
            seconds: a patch of sun, a crumb.
        work_px: size of the picture on which presence works, in pixels in all; 160 x 90 by default.
    """

    region: Region = field(default_factory=Region)
    settle_s: Annotated[float, Gt(0), Le(60)] = 0.25
    arm_settle_s: Annotated[float, Gt(0), Le(60)] = 1.2
    min_area: Annotated[float, Gt(0), Le(1)] = 0.002
    sensitivity: Annotated[float, Gt(0), Le(10)] = 1.0
    learn_s: Annotated[float, Ge(0), Le(60)] = 0.8
    learn_timeout_s: Annotated[float, Gt(0), Le(600)] = 6.0
    adapt_s: Annotated[float, Gt(0), Le(3600)] = 5.0
    absorb_s: Annotated[float, Gt(0), Le(86_400)] = 60.0
    work_px: Annotated[int, Ge(4_000), Le(200_000)] = 14_400

    def __post_init__(self) -> None:
        if self.learn_timeout_s < self.learn_s:
            raise ValueError(f"learn_timeout_s {self.learn_timeout_s:g} must be at least learn_s {self.learn_s:g}")
        rests_s = max(self.settle_s, self.arm_settle_s)
        if self.absorb_s <= rests_s:
            raise ValueError(
                f"absorb_s {self.absorb_s:g} must be more than settle_s and arm_settle_s, {rests_s:g}:"
                " an item would be part of the empty scene before it counts"
            )
