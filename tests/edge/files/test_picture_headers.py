from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.data_folder import Dataset, leave_out_unreadable, scan
from edge.files.picture_headers import Note, examine, facts_in

GRAY = np.random.default_rng(0).integers(0, 255, (90, 120), np.uint8)
COLOR = np.dstack([GRAY, GRAY[::-1], GRAY[:, ::-1]])


def write(path: Path, image: np.ndarray) -> Path:
    assert cv2.imwrite(str(path), image)
    return path


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp"])
def test_the_size_of_a_sound_picture_is_read_from_its_header(tmp_path: Path, suffix: str) -> None:
    facts = examine(write(tmp_path / f"sound{suffix}", COLOR))
    assert (facts.width_px, facts.height_px, facts.notes, facts.defect) == (120, 90, (), None)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_truncated_picture_is_told(tmp_path: Path, suffix: str, share: float) -> None:
    path = write(tmp_path / f"cut{suffix}", COLOR)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    assert "truncated" in str(examine(path).defect)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp"])
def test_a_file_that_ends_within_its_header_is_told(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"cut{suffix}", COLOR)
    path.write_bytes(path.read_bytes()[:17])
    assert examine(path).defect


@pytest.mark.parametrize(
    ("content", "defect"),
    [
        (b"", "empty"),
        (b"no picture", "not a JPEG, PNG, WebP or BMP picture"),
        (b"GIF89a...", "but GIF by its content: save it as JPEG"),
        (b"II*\0........", "but TIFF"),
        (b"\0\0\0\x1cftypavif....", "but AVIF"),
        (b"\0\0\0\x18ftypmif1....", "but HEIC"),  # as telephones write it, under whatever name it is sent on
        (b"\xff\xd8hello", "damaged"),
    ],
)
def test_what_is_no_picture_is_told(tmp_path: Path, content: bytes, defect: str) -> None:
    (tmp_path / "file.jpg").write_bytes(content)
    assert defect in str(examine(tmp_path / "file.jpg").defect)


def test_unusual_pictures_are_noted_and_used(tmp_path: Path) -> None:
    deep = write(tmp_path / "deep.png", COLOR.astype(np.uint16) * 257)
    gray = write(tmp_path / "gray.jpg", GRAY)
    clear = write(tmp_path / "clear.png", np.dstack([COLOR, GRAY]))
    tiny = write(tmp_path / "tiny.png", COLOR[:20, :20])
    found = [examine(path) for path in (deep, gray, clear, tiny)]
    assert [facts.notes for facts in found] == [(Note.SIXTEEN_BIT,), (Note.GRAYSCALE,), (Note.ALPHA,), (Note.TINY,)]
    assert all(facts.defect is None for facts in found)


def test_four_color_components_are_cmyk(tmp_path: Path) -> None:
    content = bytearray(write(tmp_path / "four.jpg", COLOR).read_bytes())
    start = content.index(b"\xff\xc0")
    content[start + 9] = 4  # number of components in the frame header
    (tmp_path / "four.jpg").write_bytes(bytes(content))
    assert examine(tmp_path / "four.jpg").notes == (Note.CMYK,)


def test_an_animated_webp_is_noted(tmp_path: Path) -> None:
    canvas = (119).to_bytes(3, "little") + (89).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", 10) + bytes([0x02, 0, 0, 0]) + canvas
    (tmp_path / "moving.webp").write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    facts = examine(tmp_path / "moving.webp")
    assert (facts.width_px, facts.height_px, facts.notes) == (120, 90, (Note.ANIMATED,))


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp"])
def test_each_header_is_read_whatever_follows_it(suffix: str) -> None:
    """What comes over a network is refused by its size before anything decodes it."""
    encoded = cv2.imencode(suffix, COLOR)[1].tobytes()
    for extra in (encoded[:-1], encoded, encoded + bytes(9000)):
        facts = facts_in(extra)
        assert (facts.width_px, facts.height_px) == (120, 90)


def test_the_oldest_header_of_a_bmp_is_read_as_opencv_reads_it() -> None:
    header = struct.pack("<IHHHH", 12, 40, 30, 1, 24)
    old = b"BM" + struct.pack("<IHHI", 26 + 30 * 40 * 3, 0, 0, 26) + header + bytes(30 * 40 * 3)
    assert cv2.imdecode(np.frombuffer(old, np.uint8), cv2.IMREAD_COLOR).shape == (30, 40, 3)
    facts = facts_in(old)
    assert (facts.width_px, facts.height_px) == (40, 30)


def test_a_jpeg_within_a_segment_that_decoders_skip_over_is_no_small_one() -> None:
    """They find the inner one, of any size, and never come to the frame header behind it."""
    inner = cv2.imencode(".jpg", COLOR)[1].tobytes()[2:]
    small = b"\xff\xc0\x00\x0b\x08" + struct.pack(">HH", 10, 10) + b"\x01\x01\x11\x00\xff\xd9"
    hidden = b"\xff\xd8\xff\x00" + struct.pack(">H", 2 + len(inner)) + inner + small
    assert cv2.imdecode(np.frombuffer(hidden, np.uint8), cv2.IMREAD_COLOR).shape == COLOR.shape
    facts = facts_in(hidden)
    assert (facts.width_px, facts.height_px) == (0, 0)
    assert "damaged" in str(facts.defect)


@given(
    st.binary(max_size=200),
    st.sampled_from([b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBPVP8X", b"BM", b""]),
)
def test_no_bytes_break_the_reading_of_headers(rest: bytes, beginning: bytes) -> None:
    facts = facts_in(beginning + rest)
    assert facts.width_px >= 0
    assert facts.height_px >= 0


def test_a_huge_picture_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    content = bytearray(write(tmp_path / "huge.png", COLOR).read_bytes())
    content[16:24] = struct.pack(">II", 60_000, 60_000)
    (tmp_path / "huge.png").write_bytes(bytes(content))
    assert "huge: 60000x60000" in str(examine(tmp_path / "huge.png").defect)


def test_training_leaves_out_half_a_picture_and_says_so(tmp_path: Path) -> None:
    for name in ("whole", "half"):
        (tmp_path / "can").mkdir(exist_ok=True)
        write(tmp_path / "can" / f"{name}.jpg", COLOR)
    half = tmp_path / "can" / "half.jpg"
    half.write_bytes(half.read_bytes()[: half.stat().st_size // 2])
    (tmp_path / "can" / "round.jpg").symlink_to("round.jpg")
    dataset = leave_out_unreadable(scan(tmp_path))
    assert [row.path for row in dataset.rows] == ["can/whole.jpg"]
    reasons = {one.path: one.reason for one in dataset.left_out}
    assert "truncated" in reasons["can/half.jpg"]
    assert "cannot be read" in reasons["can/round.jpg"]


def test_links_that_lead_in_circles_are_no_pictures(tmp_path: Path) -> None:
    write(tmp_path / "can.png", COLOR)
    for label in ("can", "jar"):
        (tmp_path / "data" / label).mkdir(parents=True)
        write(tmp_path / "data" / label / "one.png", COLOR)
    (tmp_path / "data" / "can" / "round.png").symlink_to("round.png")
    (tmp_path / "data" / "can" / "up").symlink_to(tmp_path / "data")
    dataset: Dataset = scan(tmp_path / "data")
    assert [row.path for row in dataset.rows if row.path.endswith("one.png")] == ["can/one.png", "jar/one.png"]
