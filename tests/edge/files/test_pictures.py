"""A ring of pictures that stays within its bounds, keeps what teaches, and never fills the disk."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.errors import TryAgainError
from edge.files.pictures import PictureReader, PictureRing, PictureSettings
from edge.messages import Box, Decision, Frame, Image, Outcome, Phase, Prediction, Presence, Sight
from edge.records import DecisionRecord, LiveIds, Recorder
from tests.edge.records import JumpingClock, a_decision

_CHANCE = np.random.default_rng(1)
SURE = replace(a_decision(), confidence=0.99, margin=0.98)
UNSURE = replace(a_decision(), confidence=0.6, margin=0.2)
UNKNOWN = replace(a_decision(bin_name=None), outcome=Outcome.UNKNOWN)


def noise(width_px: int = 200, height_px: int = 100) -> Image:
    """A picture that JPEG cannot make small."""
    return _CHANCE.integers(0, 255, (height_px, width_px, 3), dtype=np.uint8)


def a_record(decision: Decision, at_s: float, day: str = "2026-11-21", newest: str | None = None) -> DecisionRecord:
    clock = JumpingClock()
    clock.date = datetime.fromisoformat(f"{day}T08:00:00Z")
    recorder = Recorder(clock, LiveIds(clock, newest), "model@1")
    return recorder.record(replace(decision, decided_s=at_s), 1, commanded=False)


def a_sight(image: Image, item_id: int = 1, sharpness: float = 1.0, box: Box | None = None) -> Sight:
    presence = Presence(Phase.SETTLED, box, sharpness=sharpness)
    return Sight(Frame(0, 0.0, image), presence, item_id, box, Prediction(np.ones(2, np.float32) / 2))


def keep(
    settings: PictureSettings,
    *decisions: tuple[Decision, str],
    corrected: Callable[[], set[str]] = set[str],
    at_s: float = 0.0,
    newest: str | None = None,
) -> list[str]:
    """The ids of these decisions, told one after the other with a picture each to a ring that then ends."""
    ids = []
    for index, (decision, day) in enumerate(decisions, start=1):
        # A ring of its own for each: the queue is short, and a test must not depend on who is faster.
        ring = PictureRing(settings, corrected, free_bytes=lambda _: 10**12)
        ring.start()
        ring.see(a_sight(noise()))
        record = a_record(decision, at_s + index, day, newest)
        ring.tell(record)
        ring.stop(30)
        ids.append(newest := record.id)
    return ids


def test_the_sharpest_picture_of_an_item_is_kept_and_found_by_the_decisions_id(tmp_path: Path) -> None:
    shown: list[bytes] = []
    ring = PictureRing(PictureSettings(tmp_path), on_picture=shown.append)
    ring.start()
    frames = [np.full((80, 120, 3), level, np.uint8) for level in (50, 150, 250)]
    for frame, sharpness in zip(frames, (1.0, 9.0, 3.0), strict=True):
        ring.see(a_sight(frame, sharpness=sharpness, box=Box(40, 20, 20, 20)))
    record = a_record(UNSURE, 1.0)
    ring.tell(record)
    ring.stop(30)

    reader = PictureReader(tmp_path)
    jpeg = reader.find(record.id)
    assert jpeg is not None
    assert shown == [jpeg]
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert image.shape == (26, 26, 3), "the box with its margin, as the network saw it"
    assert abs(float(image.mean()) - 150) < 3, "JPEG"
    assert reader.ids() == [record.id]


def test_colors_are_those_of_the_camera(tmp_path: Path) -> None:
    ring = PictureRing(PictureSettings(tmp_path))
    ring.start()
    red = np.zeros((64, 64, 3), np.uint8)
    red[..., 0] = 200
    ring.see(a_sight(red))
    record = a_record(SURE, 1.0)
    ring.tell(record)
    ring.stop(30)
    jpeg = PictureReader(tmp_path).find(record.id)
    assert jpeg is not None
    blue, green, red_level = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR).mean(axis=(0, 1))
    assert red_level > 190
    assert max(blue, green) < 10


def test_when_there_is_no_more_room_the_sure_go_first_and_the_corrected_last(tmp_path: Path) -> None:
    one = len(cv2.imencode(".jpg", noise(), [cv2.IMWRITE_JPEG_QUALITY, 85])[1])
    settings = PictureSettings(tmp_path, max_bytes=round(4.5 * one))
    decisions = [UNKNOWN, UNSURE, SURE, SURE]
    ids = keep(settings, *((decision, "2026-11-21") for decision in decisions))
    corrected = ids[2]

    more = keep(settings, *((UNKNOWN, "2026-11-22") for _ in range(2)), corrected=lambda: {corrected})

    kept = set(PictureReader(tmp_path).ids())
    assert corrected in kept, "sure, but a person spoke of it"
    assert ids[3] not in kept
    assert ids[1] not in kept, "unsure goes before unknown"
    assert set(more) <= kept
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= settings.max_bytes


def test_a_full_ring_is_ranked_once_in_a_while_and_not_for_each_picture(tmp_path: Path) -> None:
    for number in range(1000):
        (tmp_path / f"{number:026}.sure.jpg").write_bytes(b"x" * 10_000)
    asked: list[int] = []

    def corrected() -> frozenset[str]:
        asked.append(1)
        return frozenset()

    keep(PictureSettings(tmp_path, max_bytes=10_000_000), *[(UNKNOWN, "2026-11-21")] * 8, corrected=corrected)

    assert len(asked) <= 3
    assert 0.97e7 <= sum(file.stat().st_size for file in tmp_path.iterdir()) <= 1e7


def test_no_more_is_written_a_day_than_allowed_and_the_sure_get_half(tmp_path: Path) -> None:
    one = len(cv2.imencode(".jpg", noise(), [cv2.IMWRITE_JPEG_QUALITY, 85])[1])
    settings = PictureSettings(tmp_path, max_bytes_a_day=round(6.5 * one))  # noise differs by less than a tenth
    sure = keep(settings, *[(SURE, "2026-11-21")] * 5)
    unknown = keep(settings, *[(UNKNOWN, "2026-11-21")] * 6)
    reader = PictureReader(tmp_path)
    assert [reader.find(record_id) is not None for record_id in sure] == [True] * 3 + [False] * 2
    assert [reader.find(record_id) is not None for record_id in unknown] == [True] * 3 + [False] * 3
    (tomorrow,) = keep(settings, (UNKNOWN, "2026-11-22"))
    assert reader.find(tomorrow) is not None


def test_a_day_that_a_clock_begins_anew_at_each_boot_is_not_spent_for_good(tmp_path: Path) -> None:
    one = len(cv2.imencode(".jpg", noise(), [cv2.IMWRITE_JPEG_QUALITY, 85])[1])
    settings = PictureSettings(tmp_path, max_bytes_a_day=round(2.5 * one))
    before = keep(settings, *[(UNKNOWN, "2026-11-21")] * 3)
    assert PictureReader(tmp_path).find(before[-1]) is None
    (after,) = keep(settings, (UNKNOWN, "2026-11-21"), at_s=-3600.0, newest=before[-1])
    assert PictureReader(tmp_path).find(after) is not None


def test_the_oldest_make_room_also_where_they_are_of_a_wrong_date(tmp_path: Path) -> None:
    one = len(cv2.imencode(".jpg", noise(), [cv2.IMWRITE_JPEG_QUALITY, 85])[1])
    settings = PictureSettings(tmp_path, max_bytes=round(4.5 * one))
    wrong = keep(settings, *[(UNKNOWN, "2038-01-19")] * 4)
    right = keep(settings, *[(UNKNOWN, "2026-11-21")] * 2, newest=wrong[-1])
    assert PictureReader(tmp_path).ids() == [*reversed(right), *reversed(wrong[2:])]


def test_a_disk_that_is_nearly_full_gets_no_picture_and_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ring = PictureRing(PictureSettings(tmp_path, min_free_bytes=1000), free_bytes=lambda _: 1000)
    ring.start()
    for item_id in range(3):
        ring.see(a_sight(noise(), item_id))
        ring.tell(a_record(replace(UNKNOWN, item_id=item_id), float(item_id)))
    ring.stop(30)
    assert PictureReader(tmp_path).ids() == []
    assert sum("nearly full" in record.message for record in caplog.records) == 1


def test_a_folder_that_cannot_be_written_costs_pictures_and_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    ids = keep(PictureSettings(blocked / "pictures"), (UNKNOWN, "2026-11-21"))
    assert PictureReader(blocked / "pictures").find(ids[0]) is None
    assert "cannot be kept" in caplog.text


def test_a_folder_that_is_deleted_while_the_bin_runs_is_made_again(tmp_path: Path) -> None:
    shown: queue.Queue[bytes] = queue.Queue()
    folder = tmp_path / "pictures"
    ring = PictureRing(PictureSettings(folder, min_free_bytes=0), on_picture=shown.put)
    ring.start()
    records = [a_record(replace(UNKNOWN, item_id=item_id), float(item_id)) for item_id in range(3)]
    for record in records:
        ring.see(a_sight(noise(), record.decision.item_id))
        ring.tell(record)
        shown.get(timeout=30)
        if record is records[1]:  # the first is written by now
            folder.rename(tmp_path / "gone")
    ring.stop(30)
    assert records[2].id in PictureReader(folder).ids()


def test_once_the_days_budget_is_spent_a_picture_is_shown_and_not_written(tmp_path: Path) -> None:
    shown: list[bytes] = []
    allowed = [True, False, False]
    ring = PictureRing(PictureSettings(tmp_path, min_free_bytes=0), on_picture=shown.append, may_write=allowed.pop)
    ring.start()
    records = [a_record(replace(UNKNOWN, item_id=item_id), float(item_id)) for item_id in range(3)]
    for record in records:
        ring.see(a_sight(noise(), record.decision.item_id))
        ring.tell(record)
    ring.stop(30)
    assert len(shown) == 3
    assert PictureReader(tmp_path).ids() == [records[2].id]


def test_a_journal_that_cannot_be_asked_is_a_problem_and_pictures_go_on_when_it_can(tmp_path: Path) -> None:
    """Making room asks the journal what a person corrected; another program may have it locked for a while."""
    one = len(cv2.imencode(".jpg", noise(), [cv2.IMWRITE_JPEG_QUALITY, 85])[1])
    problems: queue.Queue[str | None] = queue.Queue()
    answers: list[set[str]] = []

    def corrected() -> set[str]:
        if not answers:
            raise TryAgainError("another program is using it")
        return answers[0]

    settings = PictureSettings(tmp_path, max_bytes=round(1.5 * one), min_free_bytes=0)
    ring = PictureRing(settings, corrected, on_problem=problems.put)
    ring.start()
    said = [problems.get(timeout=30)]
    for item_id in range(4):
        if item_id == 3:
            answers.append(set())
        ring.see(a_sight(noise(), item_id))
        ring.tell(a_record(replace(UNKNOWN, item_id=item_id), float(item_id)))
        said.append(problems.get(timeout=30))
    ring.stop(30)
    sentence = f"{tmp_path}: pictures cannot be kept: another program is using it"
    assert said == [None, None, sentence, sentence, None]
    assert len(PictureReader(tmp_path).ids()) == 1


def test_a_disk_that_hangs_does_not_hold_up_the_end(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    hanging, is_over = threading.Event(), threading.Event()
    shown: list[bytes] = []

    def show(jpeg: bytes) -> None:
        shown.append(jpeg)
        hanging.set()
        is_over.wait(30)

    ring = PictureRing(PictureSettings(tmp_path), on_picture=show)
    ring.start()
    for item_id in range(10):
        ring.see(a_sight(noise(), item_id))
        ring.tell(a_record(replace(UNKNOWN, item_id=item_id), float(item_id)))
        assert hanging.wait(30)
    stopper = threading.Thread(target=ring.stop, args=(0.0,), daemon=True)
    stopper.start()
    stopper.join(30)
    assert not stopper.is_alive()
    assert "was not written within" in caplog.text
    is_over.set()
    ring.stop(30)
    assert len(shown) == 5, "one in hand, four that waited; the others are not kept in memory"


def test_a_ring_that_is_busy_never_holds_up_the_loop(tmp_path: Path) -> None:
    ring = PictureRing(PictureSettings(tmp_path))  # its thread does not run: it could not be busier
    for item_id in range(100):
        ring.see(a_sight(noise(), item_id))
        ring.tell(a_record(replace(UNKNOWN, item_id=item_id), float(item_id)))
    for item_id in range(100):
        ring.see(a_sight(noise(), item_id))
    assert len(ring._sharpest) <= 16


def test_what_was_seen_and_never_decided_is_soon_forgotten(tmp_path: Path) -> None:
    """Something that only moves past is classified too; sixteen crops of a large frame are 25 MB."""
    ring = PictureRing(PictureSettings(tmp_path))
    for item_id, at_s in enumerate((0.0, 0.1, 3.0, 7.0)):
        ring.see(replace(a_sight(noise(), item_id), frame=Frame(0, at_s, noise())))
    assert sorted(ring._sharpest) == [2, 3]
    for at_s in (7.5, 8.1):  # one that lies there is seen all the time
        ring.see(replace(a_sight(noise(), 2, sharpness=0.5), frame=Frame(0, at_s, noise())))
    assert sorted(ring._sharpest) == [2, 3]


@pytest.mark.parametrize("record_id", ["", "../../etc/passwd", "0" * 25, "0" * 25 + "/", "*" * 26, "0" * 25 + "i"])
def test_what_is_no_id_finds_nothing(tmp_path: Path, record_id: str) -> None:
    (tmp_path / "passwd").write_bytes(b"secret")
    assert PictureReader(tmp_path).find(record_id) is None


def test_files_that_are_not_ours_are_neither_listed_nor_deleted(tmp_path: Path) -> None:
    holiday = tmp_path / "holiday.jpg"
    holiday.write_bytes(b"x" * 10**6)
    (tmp_path / "torn.jpg.part").write_bytes(b"x")
    keep(PictureSettings(tmp_path, max_bytes=10), (UNKNOWN, "2026-11-21"))
    assert holiday.exists()
    assert not (tmp_path / "torn.jpg.part").exists()


def test_a_picture_that_goes_while_all_are_listed_stops_no_reader(tmp_path: Path) -> None:
    """The ring makes room while the page lists thousands; a link to nothing is what such a file looks like."""
    kept = keep(PictureSettings(tmp_path), (UNKNOWN, "2026-11-21"))
    gone = a_record(UNKNOWN, 9.0).id
    (tmp_path / f"{gone}.unknown.jpg").symlink_to(tmp_path / "nothing")
    reader = PictureReader(tmp_path)
    assert reader.ids() == [gone, *kept]
    assert reader.find(gone) is None
