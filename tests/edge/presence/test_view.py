"""The small picture on which presence works, and the way back to the frame."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import PictureError
from edge.messages import Box, Image
from edge.presence import PresenceSettings, Region
from edge.presence.view import View

sides_px = st.integers(8, 3000)
shares = st.floats(0, 1)


def frame(width: int, height: int) -> Image:
    """Black, and no more memory than a pixel."""
    return np.broadcast_to(np.zeros(3, np.uint8), (height, width, 3))


def test_a_picture_with_few_pixels_is_taken_as_it_is() -> None:
    view = View.of(frame(64, 48), PresenceSettings())
    assert (view.width_px, view.height_px) == (64, 48)


def test_what_is_shown_keeps_its_shape_and_has_about_as_many_pixels_as_asked_for() -> None:
    view = View.of(frame(1080, 1920), PresenceSettings(work_px=14_400))
    assert (view.width_px, view.height_px) == (90, 160)
    assert view.shrink(frame(1080, 1920)).shape == (160, 90, 3)


@given(width=sides_px, height=sides_px, left=shares, top=shares, right=shares, bottom=shares)
def test_a_box_of_the_region_is_a_box_of_the_frame(
    width: int, height: int, left: float, top: float, right: float, bottom: float
) -> None:
    (left, right), (top, bottom) = sorted((left, right)), sorted((top, bottom))
    if left == right or top == bottom:
        return
    try:
        view = View.of(frame(width, height), PresenceSettings(region=Region(left, top, right, bottom)))
    except PictureError:
        return  # nothing to see there
    assert view.to_frame(Box(0, 0, view.width_px, view.height_px)) == view.region
    last = view.to_frame(Box(view.width_px - 1, view.height_px - 1, 1, 1))
    assert last.width > 0
    assert last.height > 0
    assert last.x + last.width == view.region.x + view.region.width <= width
    assert last.y + last.height == view.region.y + view.region.height <= height


def test_a_region_without_room_for_an_item_is_refused() -> None:
    with pytest.raises(PictureError, match="7x480 pixels in the region of interest"):
        View.of(frame(640, 480), PresenceSettings(region=Region(left=0.99)))
