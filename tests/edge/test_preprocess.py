"""One way from a picture to what the network sees."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import MissingInputError, PictureError
from edge.messages import Box, InputSpec
from edge.preprocess import MAX_PICTURE_PIXELS, load_picture, resize, square_around, to_input, turned
from tests.edge.web.test_uploads import png_claiming

SPEC = InputSpec(32, 32)


@given(st.integers(1, 300), st.integers(1, 300))
def test_any_size_becomes_the_input_size_and_a_flat_picture_stays_flat(height: int, width: int) -> None:
    resized = resize(np.full((height, width, 3), 77, np.uint8), SPEC)
    assert resized.shape == (32, 32, 3)
    assert (resized == 77).all()


def test_lines_finer_than_a_pixel_shrink_to_their_share_of_light_instead_of_aliasing() -> None:
    ruled = np.zeros((256, 256, 3), np.uint8)
    ruled[:, ::8] = 255  # one column of the eight that become one; bilinear weights alone look at two others
    assert (resize(ruled, SPEC) == round(255 / 8)).all()


@given(
    st.builds(Box, st.integers(0, 600), st.integers(0, 400), st.integers(1, 200), st.integers(1, 200)),
    st.floats(0, 0.5),
)
def test_the_square_lies_in_the_frame_and_holds_what_of_the_box_lies_in_it(box: Box, margin: float) -> None:
    square = square_around(box, 640, 480, margin)
    assert 0 <= square.x <= square.x + square.width <= 640
    assert 0 <= square.y <= square.y + square.height <= 480
    assert square.x <= box.x
    assert square.x + square.width >= min(box.x + box.width, 640)
    assert square.y + square.height >= min(box.y + box.height, 480)


def test_the_item_fills_the_input_and_the_ground_around_it_is_left_out() -> None:
    image = np.zeros((480, 640, 3), np.uint8)
    image[100:200, 300:400] = 255
    seen = to_input(image, SPEC, Box(300, 100, 100, 100))
    assert seen[16, 16].tolist() == [255, 255, 255]
    assert seen.mean() > 100
    assert to_input(image, SPEC).mean() < 20


@pytest.mark.parametrize("times", range(6))
def test_a_square_is_turned_by_quarters_clockwise(times: int) -> None:
    picture = np.arange(5 * 5 * 3, dtype=np.uint8).reshape(5, 5, 3)
    assert np.array_equal(turned(picture, times), np.rot90(picture, -times))


@pytest.mark.parametrize("times", range(4))
def test_what_is_no_square_is_turned_upside_down_and_keeps_its_shape(times: int) -> None:
    picture = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    assert np.array_equal(turned(picture, times), np.rot90(picture, -2 * times))


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp"])
def test_a_red_picture_loads_red_in_every_format(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"rot und groß{suffix}"
    cv2.imencode(suffix, np.full((20, 30, 3), (0, 0, 255), np.uint8))[1].tofile(path)
    red, green, blue = load_picture(path)[10, 15]
    assert red > 240
    assert max(green, blue) < 16  # JPEG and WebP lose a little


@pytest.mark.parametrize(("suffix", "dtype"), [(".png", np.uint8), (".png", np.uint16), (".webp", np.uint8)])
def test_what_is_transparent_lies_on_white(tmp_path: Path, suffix: str, dtype: type[np.generic]) -> None:
    """A shop's cut-out product had the black ground that nobody sees."""
    step = np.iinfo(dtype).max // 255
    picture = np.zeros((8, 12, 4), dtype)
    picture[..., :3] = 100 * step
    picture[:, 4:8, 3], picture[:, 8:, 3] = 51 * step, 255 * step
    path = tmp_path / f"cut-out{suffix}"
    cv2.imencode(suffix, picture, [cv2.IMWRITE_WEBP_QUALITY, 101])[1].tofile(path)  # 101: lossless
    loaded = load_picture(path)
    assert loaded[4, 10].tolist() == [100, 100, 100]
    assert loaded[4, 1].tolist() == [255, 255, 255]
    assert loaded[4, 6].tolist() == pytest.approx([224, 224, 224], abs=1)  # a fifth of 100, the rest white; rounding


def test_sixteen_bits_and_gray_become_plain_rgb(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    cv2.imencode(".png", np.full((8, 8), 60000, np.uint16))[1].tofile(path)
    loaded = load_picture(path)
    assert loaded.shape == (8, 8, 3)
    assert loaded.dtype == np.uint8
    assert (abs(loaded.astype(int) - 234) <= 1).all()  # 60000 / 257 = 233.5


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\xff\xd8\xff\xe0 cut short", b"\x89PNG\r\n\x1a\n"])
def test_what_cannot_be_decoded_is_a_picture_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.jpg"
    path.write_bytes(content)
    with pytest.raises(PictureError, match="cannot be read as a picture"):
        load_picture(path)


def test_of_a_picture_cut_short_only_sorter_speaks(tmp_path: Path) -> None:
    """OpenCV warned of it too, with the line of its own source."""
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    (tmp_path / "cut.png").write_bytes(cv2.imencode(".png", noise)[1].tobytes()[:5000])
    program = (
        f"import edge.preprocess, pathlib; edge.preprocess.load_picture(pathlib.Path({str(tmp_path / 'cut.png')!r}))"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "WARN" not in ended.stderr
    assert "PictureError" in ended.stderr.splitlines()[-1]


def test_a_picture_beyond_the_limit_is_refused_by_its_header(tmp_path: Path) -> None:
    """Its pixels would be 1.2 GB; OpenCV was told the limit when it was loaded."""
    assert os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"] == str(MAX_PICTURE_PIXELS)
    path = tmp_path / "huge.png"
    path.write_bytes(png_claiming(20_000, 20_000))
    with pytest.raises(PictureError, match="too many pixels: scale it below 100,000,000"):
        load_picture(path)
    path.write_bytes(png_claiming(200, 200))
    with pytest.raises(PictureError, match="cannot be read as a picture"):
        load_picture(path)


def test_a_missing_picture_is_missing_input(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="no picture at"):
        load_picture(tmp_path / "none.jpg")
