"""A recording replays what was seen, to the bit, and is whole up to where it was cut off."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edge.cameras.film import FilmCamera
from edge.cameras.live import CaptureSettings, SettingsReport
from edge.cameras.recording import FrameRecorder, Recording, RecordingHeader, keep_frames
from edge.cameras.replay import film_of
from edge.clock import ReplayClock
from edge.errors import (
    CameraLostError,
    InvalidDataError,
    MissingInputError,
    PictureError,
    StaleFrameError,
    StorageError,
    UsageError,
)
from edge.messages import Frame

# With a gap, and with times that no decimal fraction of few digits holds.
TIMES_S = (3.1, 3.1 + 1 / 12, 3.1 + 2 / 12, 9.7)
REPORT = SettingsReport(
    CaptureSettings(1280, 720, 30.0, "MJPG"), CaptureSettings(640, 480, 15.0, "YUYV", {"gain": 12.0})
)


def frames() -> list[Frame]:
    rng = np.random.default_rng(4)
    return [Frame(index, at_s, rng.integers(0, 256, (24, 32, 3), dtype=np.uint8)) for index, at_s in enumerate(TIMES_S)]


def header(jpeg_quality: int | None = None) -> RecordingHeader:
    return RecordingHeader.of("2026-11-21T01:52:07.413Z", "usb /dev/video0", REPORT, jpeg_quality)


def record(folder: Path, jpeg_quality: int | None = None) -> Path:
    with FrameRecorder(folder, header(jpeg_quality)) as recorder:
        for frame in frames():
            recorder.add(frame)
    return folder


def replayed(folder: Path) -> list[Frame]:
    camera = FilmCamera(film_of(folder), ReplayClock())
    camera.open()
    return list(iter(lambda: camera.next_frame(1.0), None))


def test_a_recording_replays_to_the_bit_at_its_own_times(tmp_path: Path) -> None:
    seen = replayed(record(tmp_path / "rec"))
    for before, after in zip(frames(), seen, strict=True):
        assert after.captured_at_s == before.captured_at_s - TIMES_S[0]
        assert np.array_equal(after.image, before.image)
        assert not after.image.flags.writeable


def test_with_a_quality_it_is_smaller_and_replays_the_same_each_time(tmp_path: Path) -> None:
    record(tmp_path / "exact")
    small = record(tmp_path / "small", jpeg_quality=80)

    def num_bytes(folder: Path) -> int:
        return sum(path.stat().st_size for path in (folder / "frames").iterdir())

    assert num_bytes(small) < num_bytes(tmp_path / "exact")
    assert all(np.array_equal(a.image, b.image) for a, b in zip(replayed(small), replayed(small), strict=True))


def test_the_header_keeps_the_camera_and_what_was_asked_and_applied(tmp_path: Path) -> None:
    found = Recording(record(tmp_path / "rec")).header()
    assert found == header()
    assert found.applied is not None
    assert found.applied.fourcc == "YUYV"
    assert found.applied.controls == {"gain": 12.0}


class FaultyCamera(FilmCamera):
    """A film of which the first frames are late, as a device that has to start and that fails at first."""

    def __init__(self, folder: Path, clock: ReplayClock, num_faults: int) -> None:
        super().__init__(film_of(folder), clock)
        self._own_clock = clock
        self._num_faults = num_faults

    def next_frame(self, timeout_s: float) -> Frame | None:
        if self._num_faults > 0:
            self._num_faults -= 1
            self._own_clock.advance_to(self._own_clock.now_s() + timeout_s)
            raise StaleFrameError("no picture yet")
        return super().next_frame(timeout_s)


@pytest.mark.parametrize(("duration_s", "num_kept"), [(0.05, 1), (0.1, 2), (6.0, 3), (20.0, 4)])
def test_the_duration_counts_from_the_first_frame_however_long_the_camera_took(
    duration_s: float, num_kept: int, tmp_path: Path
) -> None:
    clock = ReplayClock()
    camera = FilmCamera(film_of(record(tmp_path / "source")), clock)
    clock.advance_to(50.0)  # the camera takes long to open
    camera.open()
    with FrameRecorder(tmp_path / "rec", header()) as recorder:
        keep_frames(camera, recorder, clock, duration_s)
    assert recorder.num_frames == num_kept


def test_a_fault_of_the_camera_does_not_end_a_recording(tmp_path: Path) -> None:
    clock = ReplayClock()
    camera = FaultyCamera(record(tmp_path / "source"), clock, num_faults=2)
    camera.open()
    with FrameRecorder(tmp_path / "rec", header()) as recorder:
        keep_frames(camera, recorder, clock, 20.0)
    assert recorder.num_frames == len(TIMES_S)


def test_a_recording_without_a_frame_says_so(tmp_path: Path) -> None:
    clock = ReplayClock()
    camera = FaultyCamera(record(tmp_path / "source"), clock, num_faults=100)
    camera.open()
    with (
        FrameRecorder(tmp_path / "rec", header()) as recorder,
        pytest.raises(CameraLostError, match="not one picture from the camera in 5 s"),
    ):
        keep_frames(camera, recorder, clock, 5.0)


def test_a_file_is_no_folder_for_a_recording(tmp_path: Path) -> None:
    (tmp_path / "taken").write_bytes(b"")
    with pytest.raises(StorageError, match="taken cannot be written"):
        FrameRecorder(tmp_path / "taken", header())


def test_a_recording_that_was_cut_off_is_whole_up_to_there(tmp_path: Path) -> None:
    folder = record(tmp_path / "rec")
    index = folder / "frames.jsonl"
    index.write_bytes(index.read_bytes()[:-7])
    assert len(replayed(folder)) == len(TIMES_S) - 1


def test_pictures_that_had_not_reached_the_disk_when_the_power_went_are_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = record(tmp_path / "rec")
    whole = (folder / "frames" / "000001.png").read_bytes()
    (folder / "frames" / "000001.png").write_bytes(whole[: len(whole) // 2])
    (folder / "frames" / "000002.png").write_bytes(b"")
    (folder / "frames" / "000003.png").unlink()
    assert len(replayed(folder)) == 1
    assert "ends early: its last 3 pictures are damaged or gone" in caplog.text
    assert capfd.readouterr().err == ""

    (folder / "frames" / "000000.png").write_bytes(b"")
    (folder / "frames" / "000001.png").write_bytes(whole)
    with pytest.raises(PictureError, match=r"000000\.png cannot be read as a picture \(0 bytes\)"):
        replayed(folder)


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"precious")
    with pytest.raises(UsageError, match="is not empty"):
        record(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]


def test_a_place_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot be written"):
        record(tmp_path / "file" / "rec")


def test_a_disk_that_fills_up_is_a_storage_error(tmp_path: Path) -> None:
    with FrameRecorder(tmp_path / "rec", header()) as recorder:
        recorder.add(frames()[0])
        (tmp_path / "rec" / "frames" / "000001.png").symlink_to("/dev/full")
        with pytest.raises(StorageError, match="No space left"):
            recorder.add(frames()[1])
    assert len(replayed(tmp_path / "rec")) == 1


def test_a_picture_that_is_gone_is_missing_input(tmp_path: Path) -> None:
    folder = record(tmp_path / "rec")
    (folder / "frames" / "000001.png").unlink()
    with pytest.raises(MissingInputError, match=r"000001\.png: copy the recording again"):
        replayed(folder)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{not json}", "is no frame of a recording"),
        (json.dumps({"file": "../../etc/passwd", "t_s": 99.0}), "file"),
        (json.dumps({"file": "frames/000001.png", "t_s": 0.01}), "does not come after"),
        ('{"file": "frames/000001.png", "t_s": Infinity}', "finite number"),
        ("\udcff", "is no frame of a recording"),
    ],
)
def test_a_damaged_line_is_named(line: str, complaint: str, tmp_path: Path) -> None:
    folder = record(tmp_path / "rec")
    with (folder / "frames.jsonl").open("a", errors="surrogateescape") as index:
        index.write(line + "\n")
    with pytest.raises(InvalidDataError, match=rf"frames\.jsonl:5.*{complaint}"):
        replayed(folder)


def test_another_schema_is_refused(tmp_path: Path) -> None:
    folder = record(tmp_path / "rec")
    changed = json.loads((folder / "recording.json").read_text()) | {"schema": 2}
    (folder / "recording.json").write_text(json.dumps(changed))
    with pytest.raises(InvalidDataError, match="schema"):
        replayed(folder)


def test_an_empty_recording_is_refused(tmp_path: Path) -> None:
    with FrameRecorder(tmp_path / "rec", header()):
        pass
    with pytest.raises(PictureError, match="holds no frame"):
        replayed(tmp_path / "rec")


def test_a_folder_that_is_no_recording_says_so(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="sorter record"):
        Recording(tmp_path).header()
