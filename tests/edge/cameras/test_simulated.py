"""The simulated camera: a film with a truth, shown in a loop, the same for the same seed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge.cameras.film import FilmCamera
from edge.cameras.simulated import LEAD_S, Scenes, SimulatedFilm, load_scenes
from edge.clock import ReplayClock
from edge.errors import InvalidDataError, MissingInputError
from edge.messages import Image
from edge.truth.scoring import load_truth

WIDTH, HEIGHT, RATE_HZ, NUM_FRAMES = 160, 120, 10, 60
BOX = (60, 40, 30, 40)
EVENTS = [
    {"label": "metal", "source": "can", "enters": 1.0, "settled": 1.5, "leaves": 2.5, "gone": 3.0, "box": BOX},
    {"label": "paper", "source": "note", "enters": 4.0, "settled": 4.3, "leaves": 5.0, "gone": 5.4, "box": BOX},
]
INDEX: dict[str, Any] = {"schema": 1, "seconds": NUM_FRAMES / RATE_HZ, "rate_hz": RATE_HZ, "events": EVENTS}
GRAY = {"empty": 190, "can": 60, "note": 120}


def draw_scenes(folder: Path) -> Path:
    film = cv2.VideoWriter(str(folder / "film.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), RATE_HZ, (WIDTH, HEIGHT))
    x, y, width, height = BOX
    for index in range(NUM_FRAMES):
        frame = np.full((HEIGHT, WIDTH, 3), GRAY["empty"], np.uint8)
        for event in EVENTS:
            if event["enters"] <= index / RATE_HZ < event["gone"]:
                frame[y : y + height, x : x + width] = GRAY[str(event["source"])]
        film.write(frame)
    film.release()
    (folder / "film.json").write_text(json.dumps(INDEX))
    return folder


@pytest.fixture
def scenes(tmp_path: Path) -> Scenes:
    return load_scenes(draw_scenes(tmp_path))


def played(film: SimulatedFilm) -> list[tuple[float, Image]]:
    return list(film.play())


def middle(image: Image) -> float:
    x, y, width, height = BOX
    return float(image[y + 8 : y + height - 8, x + 8 : x + width - 8].mean())


def test_the_same_seed_is_the_same_film_to_the_byte(scenes: Scenes) -> None:
    first, second = (played(SimulatedFilm(scenes, 3, seed=5)) for _ in range(2))
    assert [at_s for at_s, _ in first] == [at_s for at_s, _ in second]
    assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(first, second, strict=True))


def test_another_seed_is_another_light(scenes: Scenes) -> None:
    first, other = (next(SimulatedFilm(scenes, 1, seed=seed).play())[1] for seed in (1, 2))
    assert not np.array_equal(first, other)


def test_more_items_than_the_film_has_come_from_its_beginning_again(scenes: Scenes) -> None:
    visits = SimulatedFilm(scenes, 5).visits
    assert [visit.source for visit in visits] == ["can", "note", "can", "note", "can"]
    assert [visit.enters for visit in visits] == [LEAD_S + begin for begin in (1.0, 4.0, 7.0, 10.0, 13.0)]


def test_a_film_of_ages_is_no_more_to_hold_than_a_short_one(scenes: Scenes) -> None:
    """The configuration that a new bin gets shows 100,000 items: 100 MB, when each was held."""
    film = SimulatedFilm(scenes, 10**12)
    assert next(film.play())[0] == 0.0
    assert film.duration_s > 10**12


@pytest.mark.parametrize("rate_hz", [5.0, 10.0, 12.0, 60.0])
def test_the_pictures_show_what_the_truth_says_at_any_rate(scenes: Scenes, rate_hz: float) -> None:
    film = SimulatedFilm(scenes, 3, rate_hz=rate_hz)
    visits = film.visits
    num_seen = 0
    for at_s, image in film.play():
        # A frame of the film lasts until the next one: what comes or goes in between is seen then.
        for visit in visits:
            if visit.enters + 1 / RATE_HZ <= at_s < visit.gone - 1 / RATE_HZ:
                assert abs(middle(image) / GRAY[visit.source] - 1) < 0.1  # light drifts by 4 %, codecs take the rest
                num_seen += 1
        if not any(visit.enters <= at_s <= visit.gone + 1 / RATE_HZ for visit in visits):
            assert abs(middle(image) / GRAY["empty"] - 1) < 0.1
    assert num_seen > rate_hz * 3


def test_the_film_ends_when_the_next_item_would_come(scenes: Scenes) -> None:
    film = SimulatedFilm(scenes, 1, rate_hz=10.0)
    frames = played(film)
    assert len(frames) == 40 + 10 * LEAD_S
    assert abs(middle(frames[-1][1]) / GRAY["empty"] - 1) < 0.1


def test_a_clock_that_jumps_gives_the_film_at_its_own_times(scenes: Scenes) -> None:
    camera = FilmCamera(SimulatedFilm(scenes, 1, rate_hz=10.0), ReplayClock())
    camera.open()
    frames = list(iter(lambda: camera.next_frame(1.0), None))
    assert [frame.captured_at_s for frame in frames[:3]] == pytest.approx([0.0, 0.1, 0.2])
    assert not frames[0].image.flags.writeable


def test_the_index_is_a_truth_file(scenes: Scenes) -> None:
    truth = load_truth(scenes.film.with_name("film.json"))
    assert [event.label for event in truth.events] == ["metal", "paper"]


def test_a_film_without_items_is_an_empty_scene(scenes: Scenes) -> None:
    assert len(played(SimulatedFilm(scenes, 0))) == 12 * (1 + LEAD_S)


@pytest.mark.parametrize("missing", ["film.json", "film.mp4"])
def test_a_folder_without_index_or_film_is_missing_input(missing: str, tmp_path: Path) -> None:
    (draw_scenes(tmp_path) / missing).unlink()
    with pytest.raises(MissingInputError, match=rf"no {missing}"):
        load_scenes(tmp_path)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"schema": 2}, "schema"),
        ({"events": []}, "events"),
        ({"rate_hz": 0}, "rate_hz"),
        ({"seconds": 2.0}, "but the clip lasts 2.0 s"),
        ({"events": [EVENTS[1], EVENTS[0]]}, "stands after one that enters later"),
        ({"events": [EVENTS[0] | {"box": [1, 2, 3]}]}, "box"),
        ({"events": [EVENTS[0] | {"settled": 0.5}]}, "enters <= settled"),
    ],
)
def test_an_index_that_does_not_fit_is_refused(change: dict[str, object], complaint: str, tmp_path: Path) -> None:
    (draw_scenes(tmp_path) / "film.json").write_text(json.dumps(INDEX | change))
    with pytest.raises(InvalidDataError, match=complaint):
        load_scenes(tmp_path)


def test_a_patient_film_waits_for_a_machine_that_is_too_slow_for_it() -> None:
    film = SimulatedFilm(load_scenes(), 1, rate_hz=10.0, seed=1)
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
