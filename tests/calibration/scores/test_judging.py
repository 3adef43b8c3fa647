"""Judging by pictures that the bin was taught: by heads that have not seen them; and by those of a few classes."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from calibration.cli import calibrate
from calibration.scores.pictures import Measured
from calibration.site.site_file import SiteFolder
from calibration.teach_cli import teach
from edge.assembly.parts import load_parts
from edge.config import Config
from edge.errors import CheckFailedError, DatasetError
from edge.messages import Image
from edge.site import read_part
from tests.calibration.teaching.test_teach import CAN, OTHER, STAGE, cropped, different, variants, write

LONELY = next(item for item in STAGE.items if item.label not in {CAN.label, OTHER.label})
NUM_EACH = 11
# The classes of the shipped model and the three that are taught here, as a configuration lists them.
NINE = '"cardboard", "glass", "metal", "paper", "plastic", "trash", "spray", "brick", "lonely"'


def run(step: str, *arguments: str | Path) -> Result:
    command, names = (teach, arguments) if step == "teach" else (calibrate, (step, *arguments))
    agreed = [] if step == "report" else ["--yes"]
    result = CliRunner().invoke(command, [*map(str, names), *agreed])
    assert result.exit_code == 0, result.output
    return result


def photos_in(root: Path) -> Path:
    """Two classes of two things, and a third with a single picture."""
    for label, pictures in (
        ("spray", different(CAN, NUM_EACH)),
        ("brick", different(OTHER, NUM_EACH)),
        ("lonely", variants(LONELY, 1)),
    ):
        write(root / label, pictures)
    return root


def few_in(root: Path) -> Path:
    """Two classes of three, but two pictures of spray show what the bin calls a brick."""
    shades = np.arange(12, dtype=np.uint8)
    write(
        root / "spray", [*(cropped(CAN) + shade for shade in shades), *(cropped(OTHER) + shade for shade in shades[:2])]
    )
    write(root / "lonely", [cropped(LONELY) + shade for shade in shades])
    return root


def add_a_wrong_one(photos: Path) -> None:
    """A picture that the bin answers wrongly, so that no temperature can be too low."""
    cv2.imwrite(str(photos / "spray" / "wrong.png"), variants(OTHER, 12)[-1][..., ::-1])


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return photos_in(tmp_path / "photos")


@pytest.fixture
def site(tmp_path: Path, photos: Path) -> Path:
    run("teach", "--images", photos, "--crops", "--site", tmp_path / "site")
    return tmp_path / "site"


def judged(site: Path, step: str) -> Measured:
    described = SiteFolder(site).read()
    done = described.thresholds if step == "thresholds" else described.temperature
    assert done is not None
    return Measured.decode(read_part(site, done.judged))


@pytest.mark.parametrize("step", ["thresholds", "temperature"])
def test_what_was_taught_is_judged_by_a_head_that_has_not_seen_it(photos: Path, site: Path, step: str) -> None:
    """The only thing of its class is known by heart, and no head that has not seen it knows the class."""
    cv2.imwrite(str(photos / "spray" / "new.png"), variants(CAN, 12)[-1][..., ::-1])
    output = run(step, photos, "--crops", "--site", site).output
    assert "22 of them were taught" in output
    assert "lonely/00.png: it was taught, and with it nothing else of lonely" in output
    measured = judged(site, step)
    assert measured.labels == load_parts(Config(site=site)).classifier.labels
    names = np.array(measured.labels)
    is_right = measured.logits.argmax(axis=1) == measured.truth
    assert len(is_right) == 23
    assert is_right.all()
    assert "lonely" not in names[measured.truth]


def test_pictures_of_the_scene_are_known_again_also_where_light_is_undone(tmp_path: Path) -> None:
    site, photos, empty = tmp_path / "site", tmp_path / "photos", tmp_path / "empty"

    def warm(picture: Image, share: float = 1.0) -> Image:
        return (picture * np.array([1.0, 0.72, 0.45]) * share).astype(np.uint8)

    write(empty, [warm(STAGE.empty)] * 12)
    for label in dict.fromkeys(item.label for item in STAGE.items):
        shown = [item.picture for item in STAGE.items if item.label == label]
        write(photos / label, [warm(picture, share) for picture in shown for share in (1.0, 0.96)])
    run("background", "--images", empty, "--site", site)
    taught = run("teach", "--images", photos, "--site", site)
    assert "undone before the model looks" in taught.output
    num_alone = sum(sum(other.label == item.label for other in STAGE.items) == 1 for item in STAGE.items)
    num_taught = 2 * (len(STAGE.items) - num_alone)
    assert f"{num_taught} of them were taught" in run("thresholds", photos, "--site", site).output
    as_wholes = run("thresholds", photos, "--crops", "--site", site).output
    assert "were taught" not in as_wholes, "no whole picture of the scene was"


def test_a_bin_starts_that_forgot_a_class_with_a_threshold(photos: Path, site: Path) -> None:
    run("thresholds", photos, "--crops", "--site", site)
    assert {"spray", "brick"} <= set(load_parts(Config(site=site)).site.thresholds)
    run("teach", "--forget", "brick", "--site", site)
    parts = load_parts(Config(site=site))
    assert "spray" in parts.site.thresholds
    assert "brick" not in parts.site.thresholds


@pytest.mark.parametrize("wish", ["--precision=0.9999999", "--costs"])
def test_thresholds_by_which_nothing_is_sorted_are_kept_by_nobody(
    tmp_path: Path, photos: Path, site: Path, wish: str
) -> None:
    config = tmp_path / "sorter.toml"
    config.write_text(f"schema = 1\n[bins.all]\nlabels = [{NINE}]\ntakes_unknown = true\n")
    (tmp_path / "costs.toml").write_text("leave_cost = 0\n")
    asked = [wish, tmp_path / "costs.toml"] if wish == "--costs" else [wish]
    before = SiteFolder(site).read()
    words = ["thresholds", photos, "--crops", "--site", site, "--config", config, *asked, "--yes", "--json"]

    told = CliRunner().invoke(calibrate, list(map(str, words)))

    assert isinstance(told.exception, CheckFailedError)
    assert "pictures would be sorted; nothing was changed: ask for less" in str(told.exception)
    assert "spray is never sure enough" in told.stderr
    assert not told.stdout
    assert SiteFolder(site).read() == before


def test_a_folder_of_few_classes_leaves_the_thresholds_of_the_others(tmp_path: Path, photos: Path, site: Path) -> None:
    few = few_in(tmp_path / "few")
    fresh = run("thresholds", few, "--crops", "--site", site, "--json")
    answered = json.loads(fresh.stdout)["classes"]["brick"]["num_pictures"]
    assert answered == 2, "the two that are none: held against brick they would switch it off"
    assert "No picture shows brick: it has no threshold from here, and goes by the configuration's 0.55" in fresh.stderr
    assert json.loads(fresh.stdout)["classes"]["brick"]["min_confidence"] is None
    assert set(SiteFolder(site).read().thresholds.classes) == {"spray", "lonely"}  # type: ignore[union-attr]

    run("thresholds", photos, "--crops", "--site", site)
    before = SiteFolder(site).read().thresholds
    assert before is not None
    again = run("thresholds", few, "--crops", "--site", site, "--precision", "0.9", "--json")
    after = SiteFolder(site).read().thresholds
    assert after is not None
    least = before.classes["brick"].min_confidence
    assert f"No picture shows brick: its threshold stays {least:.2f}, as it was found before" in again.stderr
    assert json.loads(again.stdout)["classes"]["brick"]["min_confidence"] == least
    assert after.classes["brick"] == before.classes["brick"]
    assert after.classes["spray"] != before.classes["spray"]


def test_a_bin_that_votes_is_told_that_its_scores_are_no_votes(tmp_path: Path, photos: Path, site: Path) -> None:
    config = tmp_path / "sorter.toml"
    config.write_text('schema = 1\n[smoothing]\nmethod = "vote"\n')
    assert (
        "as sure as its frames agree" in run("thresholds", photos, "--crops", "--site", site, "--config", config).output
    )
    assert "as sure as its frames agree" not in run("thresholds", photos, "--crops", "--site", site).output


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("[decision.classes.spray]\nmin_confidence = 0.2", "has decision.classes for spray, which wins"),
        ("[decision.costs.all]\nspray = 0.9", "has decision.costs, and such a bin goes by no threshold"),
    ],
)
def test_what_the_configuration_says_itself_is_told_to_win(
    tmp_path: Path, photos: Path, site: Path, settings: str, words: str
) -> None:
    """The bin goes by its configuration first: thresholds that nobody heeds must not be taken for new ones."""
    config = tmp_path / "sorter.toml"
    config.write_text(f"schema = 1\n[bins.all]\nlabels = [{NINE}]\ntakes_unknown = true\n{settings}\n")
    at = ("--crops", "--site", site, "--precision", "0.8")
    told = run("thresholds", photos, *at, "--config", config, "--json")
    assert words in told.stderr
    assert any(words in remark for remark in json.loads(told.stdout)["remarks"])
    assert "take them out there" not in run("thresholds", photos, *at).output


def test_a_class_that_no_picture_shows_goes_by_the_configuration_first(
    tmp_path: Path, photos: Path, site: Path
) -> None:
    run("thresholds", photos, "--crops", "--site", site, "--precision", "0.8")
    few, config = few_in(tmp_path / "few"), tmp_path / "sorter.toml"
    config.write_text("schema = 1\n[decision.classes.brick]\nmin_confidence = 0.2\n")
    told = run("thresholds", few, "--crops", "--site", site, "--precision", "0.8", "--config", config).output
    assert "No picture shows brick: it has no threshold from here, and goes by the configuration's 0.20" in told


def test_thresholds_of_another_model_do_not_stay(tmp_path: Path, photos: Path, site: Path) -> None:
    run("thresholds", photos, "--crops", "--site", site)
    SiteFolder(site).change(
        lambda old: old.model_copy(
            update={"thresholds": old.thresholds and old.thresholds.model_copy(update={"bundle": "0" * 64})}
        )
    )
    few = few_in(tmp_path / "few")
    run("thresholds", few, "--crops", "--site", site)
    assert set(SiteFolder(site).read().thresholds.classes) == {"spray", "lonely"}  # type: ignore[union-attr]


def test_pictures_of_one_class_alone_are_refused_since_nothing_in_them_can_be_wrong(tmp_path: Path, site: Path) -> None:
    alone = tmp_path / "alone"
    write(alone / "spray", [cropped(CAN) + np.uint8(shade) for shade in range(20)])
    for step in ("thresholds", "temperature"):
        refused = CliRunner().invoke(calibrate, [step, str(alone), "--crops", "--site", str(site), "--yes"]).exception
        assert isinstance(refused, DatasetError)
        assert "expected pictures of at least two classes, found only spray" in str(refused)
    assert SiteFolder(site).read().thresholds is None


def test_classes_that_no_picture_shows_are_named_with_what_that_means(tmp_path: Path, site: Path) -> None:
    few = few_in(tmp_path / "few")
    for step in ("thresholds", "temperature"):
        remarks = json.loads(run(step, few, "--crops", "--site", site, "--json").stdout)["remarks"]
        (remark,) = (each for each in remarks if "No picture shows" in each)
        assert "brick" in remark
        assert "cannot be known without them" in remark
        assert "spray" not in remark


def test_folders_that_were_mixed_up_are_doubted(photos: Path, site: Path) -> None:
    """A temperature would be found for them too, and make the bin unsure of all that it knows."""
    doubt = "are the folders named after what they show?"
    assert doubt not in run("temperature", photos, "--crops", "--site", site).output
    (photos / "spray").rename(photos / "was spray")
    (photos / "brick").rename(photos / "spray")
    (photos / "was spray").rename(photos / "brick")
    remarks = json.loads(run("temperature", photos, "--crops", "--site", site, "--json").stdout)["remarks"]
    (remark,) = (each for each in remarks if doubt in each)
    assert remark.startswith("Of 22 pictures this bin is right on 0 only: ")


def test_a_temperature_that_makes_scores_less_honest_is_not_kept(photos: Path, site: Path) -> None:
    """The best one of all pictures is in place: those found without a fifth of them do worse on that fifth."""
    add_a_wrong_one(photos)
    run("temperature", photos, "--crops", "--site", site)
    before = SiteFolder(site).read().temperature
    assert before is not None
    again = run("temperature", photos, "--crops", "--site", site, "--json")
    answer = json.loads(again.stdout)
    assert answer["ece"]["after"] > answer["ece"]["before"]
    assert f"it stays {before.value:g}" in again.stderr
    assert answer["temperature"] == {"before": before.value, "after": before.value}
    assert not answer["changed"]
    assert SiteFolder(site).read().temperature == before, "thresholds that were found with it are no older"


def test_a_stale_temperature_that_stays_is_confirmed(photos: Path, site: Path) -> None:
    add_a_wrong_one(photos)
    run("temperature", photos, "--crops", "--site", site)
    folder = SiteFolder(site)
    before = folder.read().temperature
    assert before is not None
    earlier = before.model_copy(update={"made_at": before.made_at.replace(year=2000)})
    folder.change(lambda old: old.model_copy(update={"temperature": earlier}))
    again = run("temperature", photos, "--crops", "--site", site)
    assert "temperature older than the taught classes" in again.output
    after = folder.read().temperature
    assert after is not None
    assert after.made_at >= before.made_at
    assert (after.value, after.ece_after) == (before.value, after.ece_before)
