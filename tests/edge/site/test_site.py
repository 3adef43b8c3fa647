"""The site file as the device reads it: what holds for which bundle, and what is said of damage."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.bundle import DEFAULT_BUNDLE, Bundle, load_bundle
from edge.config import load_config, with_site
from edge.deciding.rules import ClassThresholds
from edge.errors import InvalidDataError, MissingInputError, StorageError
from edge.presence.settings import Region
from edge.site import SITE, load_site, part_name, read_part

OTHER = "ab" * 32

REGION = """\
schema = 1
[region]
made_at = 2026-11-21T06:00:00Z
left = 0.1
top = 0.0
right = 0.9
bottom = 1.0
"""


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle(DEFAULT_BUNDLE)


def write(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "judged-9a129038d9a0.npz").write_bytes(b"weights")
    (folder / "site.toml").write_text(text)
    return folder


def measured_with(bundle_id: str) -> str:
    return f"""{REGION}
[temperature]
made_at = 2026-11-21T06:00:00Z
bundle = "{bundle_id}"
value = 1.5
num_pictures = 100
judged = "judged-9a129038d9a0.npz"
ece_before = 0.08
ece_after = 0.02

[thresholds]
made_at = 2026-11-21T06:00:00Z
bundle = "{bundle_id}"
wish = "97 % right"
num_pictures = 100
judged = "judged-9a129038d9a0.npz"
[thresholds.classes.metal]
min_confidence = 0.7
num_accepted = 40
num_right = 39
"""


def test_everything_measured_with_this_bundle_holds(tmp_path: Path, bundle: Bundle) -> None:
    site = load_site(write(tmp_path, measured_with(bundle.bundle_id)), bundle)
    assert site.temperature == 1.5
    assert site.thresholds == {"metal": ClassThresholds(0.7, 0.0)}
    assert site.region == Region(0.1, 0.0, 0.9, 1.0)
    assert site.again == ()


def test_the_threshold_of_a_class_that_is_not_known_here_is_left_out(tmp_path: Path, bundle: Bundle) -> None:
    text = measured_with(bundle.bundle_id) + "[thresholds.classes.spray]\nmin_confidence = 0.9\n"
    assert set(load_site(write(tmp_path, text), bundle).thresholds) == {"metal"}


def test_a_class_that_no_threshold_was_found_for_is_refused(tmp_path: Path, bundle: Bundle) -> None:
    """Sites say so by 2; those from before by 1, which scores may reach."""
    text = measured_with(bundle.bundle_id)
    for label, least in (("glass", "2.0"), ("paper", "1.0")):
        text += f"[thresholds.classes.{label}]\nmin_confidence = {least}\n"
    thresholds = load_site(write(tmp_path, text), bundle).thresholds
    assert {label: own.min_confidence for label, own in thresholds.items()} == {"metal": 0.7, "glass": 2, "paper": 2}


def test_another_bundle_keeps_what_holds_and_says_what_to_do_again(tmp_path: Path, bundle: Bundle) -> None:
    site = load_site(write(tmp_path, measured_with(OTHER)), bundle)
    assert site.region == Region(0.1, 0.0, 0.9, 1.0)
    assert site.temperature is None
    assert site.thresholds == {}
    assert [sentence.rpartition("run ")[2] for sentence in site.again] == [
        "`sorter calibrate temperature`",
        "`sorter calibrate thresholds`",
    ]


def test_thresholds_found_before_the_temperature_hold_on_and_are_told(tmp_path: Path, bundle: Bundle) -> None:
    before, heading, after = measured_with(bundle.bundle_id).partition("[temperature]\n")
    later = after.replace("06:00:00", "06:00:01", 1)
    site = load_site(write(tmp_path, before + heading + later), bundle)
    assert set(site.thresholds) == {"metal"}
    assert site.again == ("thresholds older than the temperature: run `sorter calibrate thresholds`",)


def test_a_bin_runs_without_the_parts_that_only_the_report_needs(tmp_path: Path, bundle: Bundle) -> None:
    folder = write(tmp_path, measured_with(bundle.bundle_id))
    (folder / "judged-9a129038d9a0.npz").unlink()
    assert load_site(folder, bundle).temperature == 1.5


def test_an_empty_site_changes_nothing(tmp_path: Path, bundle: Bundle) -> None:
    site = load_site(write(tmp_path, "schema = 1\n"), bundle)
    assert (site.region, site.temperature, site.background, site.again) == (None, None, None, ())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("schema = 2\n", "schema 2 is not known, expected 1"),
        ("schema = 1\n[region]\nleft = 2\n", "region.made_at"),
        ("schema = 1\nregoin = 3\n", "regoin"),
        (
            "schema = ",
            "not valid TOML: Invalid value (at end of document): mend it, or go back with `sorter calibrate undo`",
        ),
        (REGION.replace("0.1", "0.95"), "region: region of interest: expected 0 <= left < right <= 1"),
        ("", "no schema in it: was it cut short?"),
        ("[actuators]\n", "no schema in it: was it cut short?"),
    ],
)
def test_a_file_that_is_not_understood_names_itself_and_the_place(
    tmp_path: Path, bundle: Bundle, text: str, said: str
) -> None:
    with pytest.raises(InvalidDataError, match=r"site\.toml: ") as caught:
        load_site(write(tmp_path, text), bundle)
    assert said in str(caught.value)


def test_a_folder_without_a_site_says_who_writes_it(tmp_path: Path, bundle: Bundle) -> None:
    with pytest.raises(MissingInputError, match="sorter calibrate"):
        load_site(tmp_path / "nowhere", bundle)


def test_a_site_that_the_card_has_lost_is_named_with_a_way_back(tmp_path: Path, bundle: Bundle) -> None:
    (tmp_path / SITE).symlink_to("/proc/self/mem")  # can be opened, and reading it fails
    with pytest.raises(StorageError, match=r"site\.toml cannot be read .*sorter calibrate undo"):
        load_site(tmp_path, bundle)


def test_a_damaged_part_is_known_by_its_name(tmp_path: Path) -> None:
    name = part_name("head.npz", b"weights")
    (tmp_path / name).write_bytes(b"weights")
    assert read_part(tmp_path, name) == b"weights"
    (tmp_path / name).write_bytes(b"weight")
    with pytest.raises(InvalidDataError, match="is damaged"):
        read_part(tmp_path, name)


def test_a_part_outside_of_the_site_is_refused(tmp_path: Path, bundle: Bundle) -> None:
    text = f"""schema = 1
[head]
made_at = 2026-11-21T06:00:00Z
bundle = "{bundle.bundle_id}"
labels = ["a", "b"]
head = "../../etc/head-1.npz"
examples = "taught-1.npz"
num_examples = {{ a = 1 }}
"""
    with pytest.raises(InvalidDataError, match=r"head\.head"):
        load_site(write(tmp_path, text), bundle)


def test_the_site_of_this_machine_is_found_where_the_configuration_names_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    config = load_config()
    assert with_site(config).site is None
    site = write(tmp_path / "site", "schema = 1\n")
    assert with_site(config).site == site
    other = config.model_copy(update={"site": tmp_path / "other"})
    assert with_site(other).site == tmp_path / "other"
