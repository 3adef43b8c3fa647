"""`sorter teach` over rendered items and the shipped model, whose pictures no training has seen."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from calibration.cli import calibrate
from calibration.site.site_file import SiteFolder
from calibration.talk import Desk, Talk
from calibration.teach_cli import teach
from calibration.teaching.lessons import MAX_EXAMPLES
from calibration.teaching.schooling import School
from calibration.teaching.teach import Teaching
from edge.assembly.parts import load_parts
from edge.bundle import DEFAULT_BUNDLE, load_bundle
from edge.clock import ReplayClock
from edge.config import Config, load_config
from edge.config.cameras import SimulatedCameraSection
from edge.errors import ConfigError, DatasetError, MissingInputError, StorageError, TryAgainError, UsageError
from edge.messages import Image
from edge.preprocess import crop, square_around, to_input
from edge.presence import PresenceSettings
from edge.presence.stills import StillFinder
from edge.service import open_rehearsal
from edge.site import SITE, load_site
from tests.scenes.pictures import StagedItem, load_stage
from train.cli import evaluate

BUNDLE = load_bundle(DEFAULT_BUNDLE)
STAGE = load_stage()
CAN, OTHER = STAGE.items[0], next(item for item in STAGE.items if item.label != STAGE.items[0].label)


def cropped(item: StagedItem) -> Image:
    height, width = item.picture.shape[:2]
    return crop(item.picture, square_around(item.box, width, height))


def variants(item: StagedItem, num: int) -> list[Image]:
    """An item as it looks a little brighter and darker: the pixels differ, the thing does not."""
    return [np.clip(cropped(item) * (0.85 + 0.06 * index), 0, 255).astype(np.uint8) for index in range(num)]


def different(item: StagedItem, num: int) -> list[Image]:
    """The same in turn as it is and so near that teaching takes it for another thing."""
    return [_nearer(look) if index % 2 else look for index, look in enumerate(variants(item, num))]


def _nearer(look: Image) -> Image:
    height, width = look.shape[:2]
    return np.ascontiguousarray(look[height * 3 // 20 : height * 17 // 20, width * 3 // 20 : width * 17 // 20])


def write(folder: Path, pictures: Sequence[Image]) -> Path:
    folder.mkdir(parents=True)
    for index, picture in enumerate(pictures):
        cv2.imwrite(str(folder / f"{index:02d}.png"), picture[..., ::-1])
    return folder


def run(*arguments: str | Path, **options: str) -> Result:
    return CliRunner().invoke(teach, [str(argument) for argument in arguments], **options)  # type: ignore[arg-type]


def scores_at(site: Path, picture: Image) -> dict[str, float]:
    classifier = load_parts(Config(site=site)).classifier
    scores = classifier.classify(to_input(picture, classifier.input_spec)).scores
    return dict(zip(classifier.labels, map(float, scores), strict=True))


@pytest.fixture
def taught(tmp_path: Path) -> Path:
    """A site that was taught one new class."""
    site = tmp_path / "site"
    Teaching(BUNDLE, SiteFolder(site)).teach("spray", variants(CAN, 4))
    return site


def test_a_new_class_is_learned_from_pictures_and_known_from_then_on(tmp_path: Path) -> None:
    site, folder = tmp_path / "site", write(tmp_path / "spray", different(CAN, 5))
    result = run("spray", "--images", folder, "--crops", "--site", site, "--yes", "--json")
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert said["changed"] is True
    assert said["classes"]["spray"] == {"examples": 5, "things": 2, "right_before": 0, "right_after": 5}
    assert max(scores := scores_at(site, cropped(CAN)), key=lambda label: scores[label]) == "spray"


def test_a_folder_with_a_subfolder_for_each_class_is_learned_in_one_go(tmp_path: Path) -> None:
    site, photos = tmp_path / "site", tmp_path / "photos"
    for item in (CAN, OTHER):
        write(photos / f"my {item.label}", variants(item, 3))
    (photos / ".thumbnails").mkdir()

    answer = run("--images", photos, "--site", site, "--yes", "--json")

    assert answer.exit_code == 0, answer.output
    labels = [f"my {item.label}" for item in (CAN, OTHER)]
    assert {label: json.loads(answer.stdout)["classes"][label]["examples"] for label in labels} == dict.fromkeys(
        labels, 3
    )
    for item, label in zip((CAN, OTHER), labels, strict=True):
        scores = scores_at(site, cropped(item))
        assert max(scores, key=scores.__getitem__) == label
        assert scores[label] > 0.9


def test_pictures_without_a_class_ask_for_one(tmp_path: Path) -> None:
    answer = run("--images", write(tmp_path / "photos", variants(CAN, 1)), "--site", tmp_path / "site", "--yes")
    assert isinstance(answer.exception, DatasetError)
    assert "or name the LABEL" in str(answer.exception)


def test_a_class_without_a_usable_picture_keeps_all_of_a_folder_from_being_learned(tmp_path: Path) -> None:
    site, photos = tmp_path / "site", tmp_path / "photos"
    write(photos / "can", variants(CAN, 3))
    (photos / "paper").mkdir()

    answer = run("--images", photos, "--site", site, "--yes")

    assert isinstance(answer.exception, MissingInputError | DatasetError)
    assert "paper" in str(answer.exception)
    assert not site.exists()


def test_what_was_not_taught_keeps_its_scores(taught: Path) -> None:
    picture = np.full((300, 300, 3), 128, np.uint8)
    network = load_parts(Config()).classifier
    before = network.classify(to_input(picture, network.input_spec)).scores
    after = scores_at(taught, picture)
    assert after["spray"] == pytest.approx(0, abs=1e-3)
    np.testing.assert_allclose([after[label] for label in network.labels], before, atol=1e-3)


def test_pictures_of_the_scene_are_cropped_to_the_item_when_the_empty_scene_is_known() -> None:
    finder = StillFinder(PresenceSettings(), STAGE.empty)
    found = finder.find(CAN.picture)
    assert found is not None
    assert abs(found.x - CAN.box.x) < 12
    assert 0 <= found.width - CAN.box.width < 0.3 * CAN.box.width  # its shadow comes with it
    assert finder.find(STAGE.empty) is None
    assert finder.shows_scene(cv2.resize(STAGE.empty, None, fx=0.5, fy=0.5))
    assert not finder.shows_scene(cropped(CAN))


def test_scene_pictures_without_an_item_are_left_out_and_named(tmp_path: Path) -> None:
    site = tmp_path / "site"
    empty = write(tmp_path / "empty", [STAGE.empty] * 12)
    learned = CliRunner().invoke(calibrate, ["background", "--images", str(empty), "--site", str(site), "--yes"])
    assert learned.exit_code == 0, learned.output
    folder = write(tmp_path / "spray", [CAN.picture, STAGE.empty])
    result = run("spray", "--images", folder, "--site", site, "--yes")
    assert result.exit_code == 0, result.output
    assert "01.png" in result.output
    head = load_site(site, BUNDLE).head
    assert head is not None
    assert head.num_examples == {"spray": 1}


def test_without_an_answer_nothing_is_changed(tmp_path: Path) -> None:
    site, folder = tmp_path / "site", write(tmp_path / "spray", variants(CAN, 1))
    result = run("spray", "--images", folder, "--site", site, input="n\n")
    assert result.exit_code == 0, result.output
    assert "Nothing was changed" in result.output
    assert not (site / SITE).exists()


def test_it_can_be_listed_evaluated_and_forgotten(taught: Path) -> None:
    assert "spray: 4 examples, new" in run("--list", "--site", taught).output
    assert "right before" in run("--evaluate", "--site", taught).output
    assert run("--forget", "spray", "--site", taught, "--yes").exit_code == 0
    assert load_site(taught, BUNDLE).head is None
    SiteFolder(taught).undo()
    assert load_site(taught, BUNDLE).head is not None


def test_a_class_is_forgotten_by_its_name_in_any_form(tmp_path: Path) -> None:
    """A terminal on a Mac writes ü as a letter and its dots."""
    site = tmp_path / "site"
    Teaching(BUNDLE, SiteFolder(site)).teach("Restm\u00fcll", variants(CAN, 1))
    result = run("--forget", " Restmu\u0308ll", "--site", site, "--yes")
    assert result.exit_code == 0, result.output
    assert SiteFolder(site).read().head is None


def test_an_example_shown_under_another_name_moves_there(taught: Path) -> None:
    lesson = Teaching(BUNDLE, SiteFolder(taught)).teach("deodorant", variants(CAN, 4)[:1])
    assert {one.label: one.num_examples for one in lesson.reports} == {"deodorant": 1, "spray": 3}


def test_another_model_is_taught_the_same_pictures_anew(taught: Path) -> None:
    folder = SiteFolder(taught)
    folder.change(
        lambda old: old.model_copy(update={"head": old.head and old.head.model_copy(update={"bundle": "0" * 64})})
    )
    assert load_site(taught, BUNDLE).head is None
    shown = CliRunner().invoke(calibrate, ["show", "--site", str(taught)]).output
    assert "what you taught it is left out: run `sorter teach --again`" in shown
    result = run("--again", "--site", taught, "--yes")
    assert result.exit_code == 0, result.output
    assert "another one now" in result.output
    assert f"head.bundle: 00000000 -> {BUNDLE.bundle_id[:8]}" in result.output
    assert load_site(taught, BUNDLE).head is not None


def test_classes_that_another_model_wrote_with_other_capitals_stay_the_same_classes(tmp_path: Path) -> None:
    """The model before knew Metal and a Tin; this one knows metal, and of a Tin nothing."""
    written = {"metal": "Metal", "trash": "Tin"}
    labels = tuple(written.get(label, label) for label in BUNDLE.manifest.labels)
    before = replace(BUNDLE, bundle_id="0" * 64, manifest=BUNDLE.manifest.model_copy(update={"labels": labels}))
    folder = SiteFolder(tmp_path / "site")
    Teaching(before, folder).teach("Metal", variants(CAN, 2))

    teaching = Teaching(BUNDLE, folder)

    assert teaching.labels(["metal", "tin"]) == ["metal", "tin"]
    with pytest.raises(UsageError, match="there is a class 'metal' already"):
        teaching.labels(["Metal"])
    assert {one.label for one in teaching.up_to_date(teaching.shown())} == {"metal"}


@dataclass(frozen=True, slots=True)
class InterruptedTalk(Talk):
    """While this one is asked, somebody else teaches the bin something."""

    site: Path

    def ask(self, question: str, *, default: bool = True) -> bool:
        assert question == "Keep it?"
        Teaching(BUNDLE, SiteFolder(self.site)).teach("brick", variants(OTHER, 1))
        return default


@pytest.mark.parametrize("step", ["again", "forget", "teach"])
def test_of_two_lessons_at_once_the_second_is_refused_and_nothing_is_lost(taught: Path, step: str) -> None:
    talk = InterruptedTalk(is_sure=False, as_json=False, site=taught)
    school = School(Desk(Config(site=taught), SiteFolder(taught), talk))
    steps = {
        "again": school.again,
        "forget": lambda: school.forget("spray"),
        "teach": lambda: school.teach_pictures(
            {"cup": write(taught.parent / "cup", variants(OTHER, 2)[1:])}, are_crops=True
        ),
    }
    with pytest.raises(TryAgainError, match="meanwhile"):
        steps[step]()
    head = load_site(taught, BUNDLE).head
    assert head is not None
    assert head.num_examples == {"brick": 1, "spray": 4}


def test_a_bin_runs_with_a_taught_class_that_no_bin_takes_yet(taught: Path) -> None:
    bins = {"all": {"labels": BUNDLE.manifest.labels}, "rest": {"takes_unknown": True}}
    config = Config.model_validate(
        {"site": taught, "bins": bins, "camera": SimulatedCameraSection(num_items=1).model_dump()}
    )
    records = []
    with open_rehearsal(config, ReplayClock(), [records.append]) as loop:
        loop.run_to_end()
    assert len(records) == 1
    assert load_parts(config).policy is not None


def test_items_before_the_camera_are_counted_and_learned(tmp_path: Path) -> None:
    """A replayed camera stands in: an empty scene, then one item after the other."""
    frames = tmp_path / "frames"
    visits = [picture for item in (CAN, OTHER, CAN) for picture in [item.picture] * 9 + [STAGE.empty] * 6]
    write(frames, [STAGE.empty] * 14 + visits)
    site = tmp_path / "site"
    result = run(
        "spray", "--items", "2", "--site", site, "--yes",
        "--set", "camera.backend=replay", "--set", f"camera.source={frames}",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "1 of 2" in result.output
    assert load_site(site, BUNDLE).head is not None
    assert load_site(site, BUNDLE).head.num_examples == {"spray": 2}  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((), UsageError, "expected one of LABEL"),
        (("spray", "--list"), UsageError, "expected one of LABEL"),
        (("--images", "x", "--list"), UsageError, "expected one of LABEL"),
        (("--images", "/nowhere"), MissingInputError, "a subfolder of pictures for each class"),
        (("spray", "--crops"), UsageError, "expected --images FOLDER"),
        (("--evaluate",), DatasetError, "nothing was taught"),
        (("--again",), DatasetError, "nothing was taught"),
        (("--forget", "spray"), UsageError, "was not taught here"),
        (("spray", "--images", "/nowhere"), MissingInputError, "nothing there"),
        (("a/b", "--images", "/nowhere"), UsageError, "cannot be the name of a class"),
        (("Glass", "--images", "/nowhere"), UsageError, "write it the same way"),
    ],
)
def test_mistakes_are_told_in_words(
    tmp_path: Path, arguments: tuple[str, ...], error: type[Exception], words: str
) -> None:
    result = run(*arguments, "--site", tmp_path / "site")
    assert isinstance(result.exception, error)
    assert words in str(result.exception)
    assert not (tmp_path / "site" / SITE).exists()


@pytest.mark.parametrize(("name", "words"), [("phone.heic", "save it as JPEG"), ("more/can.png", "a folder within")])
def test_a_folder_that_holds_other_things_than_pictures_says_which(tmp_path: Path, name: str, words: str) -> None:
    found = tmp_path / "spray" / name
    found.parent.mkdir(parents=True)
    found.write_bytes(b"a picture")
    refused = run("spray", "--images", tmp_path / "spray", "--site", tmp_path / "site", "--yes").exception
    assert isinstance(refused, MissingInputError)
    assert words in str(refused)


def test_pictures_that_cannot_be_read_are_left_out_and_named(tmp_path: Path) -> None:
    folder = write(tmp_path / "spray", variants(CAN, 1))
    (folder / "broken.jpg").write_bytes(b"no picture")
    (folder / "phone.heic").write_bytes(b"a picture")
    (folder / "half.png").write_bytes(next(folder.glob("*.png")).read_bytes()[:-200])
    result = run("spray", "--images", folder, "--site", tmp_path / "site", "--yes")
    assert result.exit_code == 0, result.output
    assert "left out" in result.output
    assert "broken.jpg" in result.output
    assert "half.png: truncated" in result.output
    assert "phone.heic: .heic cannot be read" in result.output
    assert "num_examples.spray: not set -> 1" in result.output


def test_what_is_no_picture_by_its_kind_is_passed_over(tmp_path: Path) -> None:
    folder = write(tmp_path / "spray", variants(CAN, 1))
    (folder / "folder.jpg").mkdir()
    (folder / "notes.txt").write_text("a can", encoding="utf-8")
    result = run("spray", "--images", folder, "--crops", "--site", tmp_path / "site", "--yes", "--json")
    assert json.loads(result.stdout)["classes"]["spray"]["examples"] == 1


@pytest.mark.parametrize(("num_pictures", "are_too_many"), [(MAX_EXAMPLES, False), (MAX_EXAMPLES + 1, True)])
def test_pictures_beyond_what_is_kept_are_told(tmp_path: Path, num_pictures: int, *, are_too_many: bool) -> None:
    """All but the first are damaged, so that it does not take long."""
    folder = write(tmp_path / "spray", variants(CAN, 1))
    for index in range(1, num_pictures):
        (folder / f"{index:03d}.png").write_bytes(b"no picture")
    result = run("spray", "--images", folder, "--crops", "--site", tmp_path / "site", "--yes")
    assert result.exit_code == 0, result.output
    assert ("Of more pictures than 100 that many were taken" in result.output) is are_too_many


def test_two_folders_that_differ_by_case_alone_are_refused(tmp_path: Path) -> None:
    for name in ("Battery", "battery"):
        write(tmp_path / "photos" / name, variants(CAN, 1))
    result = run("--images", tmp_path / "photos", "--site", tmp_path / "site", "--yes")
    assert isinstance(result.exception, UsageError)
    assert "there is a class 'Battery' already" in str(result.exception)


def test_a_site_that_cannot_be_written_keeps_what_it_was(taught: Path) -> None:
    before = (taught / SITE).read_bytes()
    (taught / "history").rename(taught / "history.old")
    (taught / "history").write_bytes(b"in the way, as a full disk would be")
    with pytest.raises(StorageError, match="cannot be written"):
        Teaching(BUNDLE, SiteFolder(taught)).teach("other", variants(OTHER, 1))
    assert (taught / SITE).read_bytes() == before


def test_no_pictures_teach_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="found none"):
        Teaching(BUNDLE, SiteFolder(tmp_path)).teach("spray", [])


def test_a_taught_class_may_have_a_bin_and_thresholds(taught: Path) -> None:
    text = "[bins.all]\nlabels = [{}]\n[decision.classes.spray]\nmin_confidence = 0.9\n"
    labels = ", ".join(f'"{label}"' for label in (*BUNDLE.manifest.labels, "spray"))
    file = taught.parent / "sorter.toml"
    file.write_text(f'schema = 1\nsite = "{taught}"\n' + text.format(labels))
    assert load_parts(load_config(file, ())).bins == ("all",)
    (taught / SITE).unlink()
    with pytest.raises((ConfigError, MissingInputError)):
        load_parts(load_config(file, ()))


def test_evaluation_knows_what_a_site_was_taught(taught: Path) -> None:
    write(taught.parent / "data" / "spray", variants(CAN, 2))
    result = CliRunner().invoke(evaluate, [str(taught.parent / "data"), "--site", str(taught), "--json"])
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert said["accuracy"] == 1
    assert said["labels"][-1] == "spray"
