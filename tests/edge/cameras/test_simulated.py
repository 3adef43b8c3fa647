"""The simulated camera: a film with a truth, the same for the same seed, the rendered picture at rest."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.cameras.film import FilmCamera
from edge.cameras.simulated import SCENES, SimulatedFilm, Stage, load_stage
from edge.clock import ReplayClock
from edge.errors import InvalidDataError, MissingInputError
from edge.messages import Image

BOXES = {"can.png": ("metal", (60, 40, 30, 40)), "note.png": ("paper", (20, 60, 50, 30))}
# Light drifts by 3 + 1 % and flickers by 0.3 %; noise is 2 grey levels in 128, and JPEG adds its own:
# the mean over an item stays within 6 % of its picture, the worst of 1,000 pixels within 6 deviations.
MEAN_TOLERANCE = 0.06


def draw_scenes(folder: Path) -> Path:
    rng = np.random.default_rng(7)
    empty = np.clip(190 + rng.normal(0, 2, (120, 160, 3)), 0, 255).astype(np.uint8)
    empty[:8] = 60
    cv2.imwrite(str(folder / "empty.png"), empty)
    items = []
    for index, (name, (label, (x, y, width, height))) in enumerate(BOXES.items()):
        picture = empty.copy()
        picture[y + 4 : y + height + 6, x + 4 : x + width + 6] //= 2  # its shadow
        picture[y : y + height, x : x + width] = (40 + 100 * index, 80, 160)
        cv2.imwrite(str(folder / name), picture)
        items.append({"file": name, "label": label, "box": [x, y, width, height]})
    (folder / "scenes.json").write_text(json.dumps({"schema": 1, "empty": "empty.png", "items": items}))
    return folder


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return load_stage(draw_scenes(tmp_path))


def played(film: SimulatedFilm) -> list[tuple[float, Image]]:
    return list(film.play())


def relative_difference(image: Image, other: Image) -> float:
    return abs(float(image.mean()) / float(other.mean()) - 1)


def test_the_same_seed_is_the_same_film_to_the_byte(stage: Stage) -> None:
    first, second = (played(SimulatedFilm(stage, 3, seed=5)) for _ in range(2))
    assert [at_s for at_s, _ in first] == [at_s for at_s, _ in second]
    assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(first, second, strict=True))


def test_playing_one_film_twice_gives_the_same_bytes(stage: Stage) -> None:
    film = SimulatedFilm(stage, 2)
    assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(played(film), played(film), strict=True))


def test_another_seed_is_another_film(stage: Stage) -> None:
    assert SimulatedFilm(stage, 3, seed=1).visits != SimulatedFilm(stage, 3, seed=2).visits


def test_every_item_comes_once_before_one_comes_again(stage: Stage) -> None:
    labels = [visit.label for visit in SimulatedFilm(stage, 10).visits]
    for turn in range(0, 10, 2):
        assert sorted(labels[turn : turn + 2]) == ["metal", "paper"]


def test_visits_follow_one_another_in_time(stage: Stage) -> None:
    film = SimulatedFilm(stage, 20)
    times_s = [each for visit in film.visits for each in (visit.enters, visit.settled, visit.leaves, visit.gone)]
    assert times_s == sorted(set(times_s))
    assert times_s[-1] < film.duration_s


def test_an_item_at_rest_is_its_rendered_picture_apart_from_light_and_noise(stage: Stage) -> None:
    film = SimulatedFilm(stage, 4)
    pictures = {item.file: item.picture for item in stage.items}
    num_seen = 0
    for at_s, image in film.play():
        for visit in film.visits:
            if visit.settled <= at_s < visit.leaves:
                expected = pictures[visit.source]
                gain = float(image.mean()) / float(expected.mean())
                assert abs(gain - 1) < MEAN_TOLERANCE
                assert np.abs(image / gain - expected.astype(float)).mean() < 4  # noise of 2, JPEG about as much
                num_seen += 1
    assert num_seen > 4 * 12


def test_between_the_visits_the_scene_is_empty(stage: Stage) -> None:
    film = SimulatedFilm(stage, 3)
    for at_s, image in film.play():
        if not any(visit.enters <= at_s <= visit.gone for visit in film.visits):
            assert relative_difference(image, stage.empty) < MEAN_TOLERANCE
            assert np.abs(image.astype(float) - stage.empty).mean() < 16


def test_an_item_enters_from_outside_and_leaves_entirely(stage: Stage) -> None:
    film = SimulatedFilm(stage, 1, rate_hz=100.0)
    visit = film.visits[0]
    box = next(item.box for item in stage.items if item.file == visit.source)
    frames = played(film)
    first = next(image for at_s, image in frames if at_s >= visit.enters)
    last = [image for at_s, image in frames if at_s < visit.gone][-1]
    almost_there = [image for at_s, image in frames if at_s < visit.settled][-1]
    assert np.abs(first.astype(float) - stage.empty).mean() < 16
    assert np.abs(last.astype(float) - stage.empty).mean() < 16
    inside = (slice(box.y, box.y + box.height), slice(box.x, box.x + box.width))
    assert relative_difference(almost_there[inside], stage.empty[inside]) > 0.2


def test_a_clock_that_jumps_gives_the_film_at_its_own_times(stage: Stage) -> None:
    film, clock = SimulatedFilm(stage, 1, rate_hz=10.0), ReplayClock()
    camera = FilmCamera(film, clock)
    camera.open()
    frames = list(iter(lambda: camera.next_frame(1.0), None))
    assert camera.num_frames == len(frames) == film.num_frames
    assert [frame.captured_at_s for frame in frames[:3]] == pytest.approx([0.0, 0.1, 0.2])
    assert not frames[0].image.flags.writeable


def test_the_truth_has_the_form_of_a_truth_file(stage: Stage) -> None:
    event = SimulatedFilm(stage, 1).visits[0].truth()
    assert list(event) == ["label", "source", "enters", "settled", "leaves", "gone"]


def test_a_film_without_items_is_an_empty_scene(stage: Stage) -> None:
    assert len(played(SimulatedFilm(stage, 0, lead_s=1.0))) == 12


def test_a_folder_without_index_is_missing_input(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match=r"no scenes\.json"):
        load_stage(tmp_path)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"schema": 2}, "schema"),
        ({"items": []}, "items"),
        ({"items": [{"file": "can.png", "label": "metal", "box": [150, 100, 30, 30]}]}, "not inside its picture"),
        ({"items": [{"file": "can.png", "label": "metal", "box": [-1, 0, 30, 30]}]}, "not inside its picture"),
        ({"items": [{"file": "small.png", "label": "metal", "box": [0, 0, 5, 5]}]}, "is 40x30, but the empty scene is"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_an_index_that_does_not_fit_is_refused(change: dict[str, object], complaint: str, tmp_path: Path) -> None:
    folder = draw_scenes(tmp_path)
    cv2.imwrite(str(folder / "small.png"), np.zeros((30, 40, 3), dtype=np.uint8))
    index = json.loads((folder / "scenes.json").read_text()) | change
    (folder / "scenes.json").write_text(json.dumps(index))
    with pytest.raises(InvalidDataError, match=complaint):
        load_stage(folder)


@pytest.mark.skipif(not SCENES.is_dir(), reason="the shipped scenes are not rendered yet")
def test_the_shipped_scenes_load_and_cover_the_six_classes() -> None:
    labels = {item.label for item in load_stage().items}
    assert labels == {"cardboard", "glass", "metal", "paper", "plastic", "trash"}


def test_a_patient_film_waits_for_a_machine_that_is_too_slow_for_it() -> None:
    film = SimulatedFilm(load_stage(), 1, rate_hz=10.0, seed=1)
    clock = ReplayClock()
    camera = FilmCamera(film, clock, is_patient=True)
    camera.open()
    times_s = []
    for _ in range(3):
        clock.advance_to(clock.now_s() + 1.0)  # what the loop took for the last frame
        frame = camera.next_frame(1.0)
        assert frame is not None
        times_s.append(frame.captured_at_s)
    camera.close()
    assert times_s == [1.0, 2.0, 3.0]
