"""Files and folders as cameras: every frame, in order, at the file's own times, or an error that helps."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.cameras.film import FilmCamera
from edge.cameras.replay import PictureFolder, VideoFile, film_of, pictures_below
from edge.cameras.scripted import ScriptedCapture
from edge.clock import ReplayClock
from edge.errors import InvalidDataError, MissingInputError, PictureError, UnavailableError, VideoError
from edge.messages import Frame, Image

SHARED_VIDEOS = Path(__file__).parents[4] / "shared" / "data" / "bins" / "videos"


def picture(level: int, height: int = 48, width: int = 64) -> Image:
    """A reddish ramp: its red channel is the brightest, so that swapped colors show."""
    image = np.zeros((height, width, 3), dtype=np.uint8)
    image[..., 0] = level
    image[: height // 2, :, 1] = level // 2
    return image


def write_picture(path: Path, image: Image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))


def write_video(path: Path, num_frames: int = 6, rate_hz: float = 10.0) -> None:
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"MJPG"), rate_hz, (64, 48))
    assert writer.isOpened()
    for index in range(num_frames):
        writer.write(cv2.cvtColor(picture(60 + 20 * index % 180), cv2.COLOR_RGB2BGR))
    writer.release()


def all_frames(camera: FilmCamera) -> list[Frame]:
    camera.open()
    frames = list(iter(lambda: camera.next_frame(1.0), None))
    camera.close()
    return frames


def test_a_video_gives_every_frame_in_order_at_the_times_of_the_file(tmp_path: Path) -> None:
    write_video(tmp_path / "clip.avi")
    clock = ReplayClock()
    frames = all_frames(FilmCamera(film_of(tmp_path / "clip.avi"), clock))
    assert [frame.sequence for frame in frames] == [0, 1, 2, 3, 4, 5]
    assert [frame.captured_at_s for frame in frames] == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4, 0.5])
    assert clock.now_s() == frames[-1].captured_at_s
    reds = [float(frame.image[..., 0].mean()) for frame in frames]
    assert reds == pytest.approx([60 + 20 * index for index in range(6)], abs=4)  # JPEG's rounding


def test_frames_are_rgb_and_read_only(tmp_path: Path) -> None:
    write_video(tmp_path / "clip.avi")
    write_picture(tmp_path / "pictures" / "one.png", picture(200))
    for source in (tmp_path / "clip.avi", tmp_path / "pictures"):
        frame = all_frames(FilmCamera(film_of(source), ReplayClock()))[0]
        assert frame.image.dtype == np.uint8
        assert frame.image.shape == (48, 64, 3)
        assert frame.image[..., 0].mean() > frame.image[..., 2].mean() + 40
        assert not frame.image.flags.writeable


def test_a_video_replays_to_the_same_bytes(tmp_path: Path) -> None:
    write_video(tmp_path / "clip.avi")
    first, second = (all_frames(FilmCamera(film_of(tmp_path / "clip.avi"), ReplayClock())) for _ in range(2))
    for before, after in zip(first, second, strict=True):
        assert before.captured_at_s == after.captured_at_s
        assert np.array_equal(before.image, after.image)


def test_the_clock_stands_at_the_frame_that_was_given_last(tmp_path: Path) -> None:
    write_video(tmp_path / "clip.avi")
    clock = ReplayClock()
    clock.advance_to(5.0)
    camera = FilmCamera(film_of(tmp_path / "clip.avi"), clock)
    camera.open()
    for expected_s in (5.0, 5.1, 5.2):
        frame = camera.next_frame(1.0)
        assert frame is not None
        assert frame.captured_at_s == pytest.approx(expected_s)
        assert clock.now_s() == frame.captured_at_s
    camera.close()


def test_an_animated_gif_keeps_its_uneven_times(tmp_path: Path) -> None:
    animation = cv2.Animation()
    animation.frames = [picture(level) for level in (50, 120, 180, 250)]
    animation.durations = [100, 50, 200, 80]
    assert cv2.imwriteanimation(str(tmp_path / "clip.gif"), animation)
    frames = all_frames(FilmCamera(film_of(tmp_path / "clip.gif"), ReplayClock()))
    assert [frame.captured_at_s for frame in frames] == pytest.approx([0.0, 0.1, 0.15, 0.35])


@pytest.mark.parametrize("stated_ms", [[0, 0, 0, 0], [0, 100, 100, 50], [float("nan")] * 4])
def test_times_grow_even_where_the_file_repeats_or_lacks_them(stated_ms: list[float], tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").touch()
    capture = ScriptedCapture([picture(50)] * 4, rate_hz=10.0, times_ms=stated_ms)
    film = VideoFile(tmp_path / "clip.mp4", open_capture=lambda _: capture)
    frames = all_frames(FilmCamera(film, ReplayClock()))
    times_s = [frame.captured_at_s for frame in frames]
    assert times_s == pytest.approx([0.0, 0.1, 0.2, 0.3])
    assert capture.is_released


def test_a_folder_is_shown_in_the_order_of_its_paths_at_the_given_rate(tmp_path: Path) -> None:
    for name, level in (("b/2.png", 90), ("a/9.JPG", 30), ("b/1.png", 60), ("c.bmp", 120), (".trash/0.png", 10)):
        write_picture(tmp_path / name, picture(level))
    (tmp_path / "notes.txt").write_text("not a picture")
    camera = FilmCamera(PictureFolder(tmp_path, rate_hz=4.0), ReplayClock())
    frames = all_frames(camera)
    assert [frame.captured_at_s for frame in frames] == [0.0, 0.25, 0.5, 0.75]
    assert [round(float(frame.image[..., 0].mean()), -1) for frame in frames] == [30, 60, 90, 120]


def test_the_pictures_of_a_folder_follow_each_other_by_number(tmp_path: Path) -> None:
    names = ["day 9/2.png", "day 9/10.png", "day 10/frame1.png", "day 10/frame2.png", "day 10/frame10.png", "end.png"]
    for name in reversed(names):
        write_picture(tmp_path / name, picture(50))
    assert pictures_below(tmp_path) == [tmp_path / name for name in names]


def test_pictures_of_another_size_are_refused_at_their_place(tmp_path: Path) -> None:
    write_picture(tmp_path / "1.png", picture(50))
    write_picture(tmp_path / "2.png", picture(50, height=30))
    camera = FilmCamera(PictureFolder(tmp_path), ReplayClock())
    camera.open()
    assert camera.next_frame(1.0) is not None
    with pytest.raises(PictureError, match=r"2\.png is 64x30, but 1\.png before it is 64x48"):
        camera.next_frame(1.0)


def test_a_damaged_picture_in_a_folder_is_named(tmp_path: Path) -> None:
    write_picture(tmp_path / "1.png", picture(50))
    (tmp_path / "2.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    camera = FilmCamera(PictureFolder(tmp_path), ReplayClock())
    camera.open()
    assert camera.next_frame(1.0) is not None
    with pytest.raises(PictureError, match=r"2\.png cannot be read"):
        camera.next_frame(1.0)


def test_what_is_not_there_is_a_missing_input(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match=r"none\.mp4"):
        film_of(tmp_path / "none.mp4")
    for film in (VideoFile(tmp_path / "none.mp4"), PictureFolder(tmp_path / "none")):
        with pytest.raises(MissingInputError, match="none"):
            FilmCamera(film, ReplayClock()).open()


@pytest.mark.parametrize("content", [b"", b"hello " * 200])
def test_a_file_that_is_no_video_is_refused_in_one_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    with pytest.raises(VideoError, match=rf"clip\.mp4 cannot be read as a video \({len(content)} bytes\)") as caught:
        FilmCamera(film_of(path), ReplayClock()).open()
    assert isinstance(caught.value, InvalidDataError)
    assert "\n" not in str(caught.value)


def test_a_video_without_a_frame_is_refused(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").touch()
    capture = ScriptedCapture([])
    with pytest.raises(VideoError, match="holds no frame"):
        FilmCamera(VideoFile(tmp_path / "clip.mp4", open_capture=lambda _: capture), ReplayClock()).open()
    assert capture.is_released


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="no picture in"):
        FilmCamera(film_of(tmp_path), ReplayClock()).open()


def test_a_cut_file_is_played_to_its_end_and_said_to_be_cut(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_video(tmp_path / "clip.avi", num_frames=40)
    whole = (tmp_path / "clip.avi").read_bytes()
    (tmp_path / "cut.avi").write_bytes(whole[: len(whole) // 2])
    with caplog.at_level(logging.WARNING):
        frames = all_frames(FilmCamera(film_of(tmp_path / "cut.avi"), ReplayClock()))
    assert 0 < len(frames) < 36
    assert "is it whole?" in caplog.text


def test_a_film_of_uneven_times_that_lasts_as_long_as_announced_is_not_said_to_be_cut(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Matroska tells no number of frames: FFmpeg makes one of duration and rate."""
    (tmp_path / "clip.mkv").touch()
    times_ms = [0, 100, 200, 1000, 1100, 1900]
    announced = {cv2.CAP_PROP_FRAME_COUNT: 20.0}
    capture = ScriptedCapture([picture(50)] * 6, rate_hz=10.0, times_ms=times_ms, applied=announced)
    with caplog.at_level(logging.WARNING):
        assert len(list(VideoFile(tmp_path / "clip.mkv", lambda _: capture).play())) == 6
    assert not caplog.records


def test_a_film_that_was_not_opened_says_so(tmp_path: Path) -> None:
    write_video(tmp_path / "clip.avi")
    camera = FilmCamera(film_of(tmp_path / "clip.avi"), ReplayClock())
    with pytest.raises(UnavailableError, match="open it first"):
        camera.next_frame(1.0)
    camera.open()
    camera.close()
    camera.close()
    with pytest.raises(UnavailableError, match="open it first"):
        camera.next_frame(1.0)


def test_a_film_can_be_shown_again_from_its_beginning(tmp_path: Path) -> None:
    write_video(tmp_path / "clip.avi")
    camera = FilmCamera(film_of(tmp_path / "clip.avi"), ReplayClock())
    assert len(all_frames(camera)) == len(all_frames(camera)) == 6


@pytest.mark.skipif(not SHARED_VIDEOS.is_dir(), reason="the shared clips are not beside this checkout")
@pytest.mark.parametrize("name", ["built_dark_plastic", "intel_bolt-multi", "intel_fruit-and-vegetable"])
def test_the_shared_clips_play_whole(name: str) -> None:
    truth = json.loads((SHARED_VIDEOS / f"{name}.json").read_text())
    times_s = [at_s for at_s, _ in VideoFile(SHARED_VIDEOS / truth["file"]).play()]
    assert times_s == sorted(set(times_s))
    assert times_s[-1] == pytest.approx(truth["seconds"], abs=0.1)  # one frame, and rounding
    assert len(times_s) == truth.get("frames", len(times_s))
