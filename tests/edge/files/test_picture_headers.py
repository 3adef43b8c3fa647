from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.data_folder import Dataset, leave_out_unreadable, scan
from edge.files.picture_headers import Note, examine

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
    ("content", "defect"), [(b"", "empty"), (b"GIF89a...", "not a JPEG"), (b"\xff\xd8hello", "damaged")]
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
