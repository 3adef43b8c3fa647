"""A flap's angles and times are found by moving it, on simulated lines, and end in the site file."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from calibration.cli import calibrate
from calibration.site.site_file import SiteFolder
from calibration.talk import Desk, Talk
from edge.actuators.servo import ServoFlap, ServoSettings
from edge.actuators.simulated import SimulatedLines
from edge.config import Config
from edge.errors import ConfigError, UsageError

CONFIG = """\
schema = 1
[gpio]
simulated = true
[bins.paper]
labels = ["paper"]
actuator = { kind = "servo", pin = 17, travel_s = 0.01 }
[bins.rest]
takes_unknown = true
labels = ["cardboard", "glass", "metal", "plastic", "trash"]
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "sorter.toml"
    path.write_text(CONFIG)
    return path


def run(config: Path, *options: str, answers: str = "") -> Result:
    arguments = ["actuators", "--config", str(config), "--site", str(config.parent / "site"), *options]
    return CliRunner().invoke(calibrate, arguments, input=answers)


def test_stepping_finds_the_angles_and_keeps_the_times(config: Path) -> None:
    # Shut: 0, one step of 2 up, kept. Open: 90, to 100, 10 down, kept. Whole movement right, kept.
    result = run(config, "--open-s", "0.01", answers="+\n\n100\n--\n\ny\ny\n")
    assert result.exit_code == 0, result.output
    flap = SiteFolder(config.parent / "site").read().actuators["paper"]
    assert (flap.rest_angle, flap.open_angle, flap.open_s, flap.travel_s) == (2, 90, 0.01, 0.01)


def test_the_angle_that_is_kept_is_the_one_at_which_the_flap_stands(config: Path) -> None:
    # Shut: 0, ten down, which it cannot, kept. Open: 170, two steps of ten up, the second of which it cannot, kept.
    result = run(config, "--open-s", "0.01", answers="--\n\n170\n++\n++\n\ny\ny\n")
    assert result.exit_code == 0, result.output
    flap = SiteFolder(config.parent / "site").read().actuators["paper"]
    assert (flap.rest_angle, flap.open_angle) == (0, 180)


def test_a_movement_that_was_wrong_is_tried_with_other_times(config: Path) -> None:
    result = run(config, "--open-s", "0.01", "--rest-angle", "5", answers="\nn\n0.02\n0.03\ny\ny\n")
    assert result.exit_code == 0, result.output
    flap = SiteFolder(config.parent / "site").read().actuators["paper"]
    assert (flap.rest_angle, flap.open_angle, flap.open_s, flap.travel_s) == (5, 90, 0.03, 0.02)


def test_a_script_gives_the_numbers(config: Path) -> None:
    result = run(config, "--yes", "--json", "--rest-angle", "10", "--open-angle", "80", "--open-s", "2")
    assert '"paper": {"rest": 10.0, "open": 80.0, "open_s": 2.0, "travel_s": 0.01}' in result.stdout
    assert SiteFolder(config.parent / "site").read().actuators["paper"].open_angle == 80


def test_what_the_configuration_says_itself_is_named(config: Path) -> None:
    result = run(config, "--yes", "--travel-s", "0.3")
    assert "sets travel_s = 0.01 for bin paper: take it out there" in result.output


def test_an_angle_that_the_servo_has_not_is_refused(config: Path) -> None:
    assert isinstance(run(config, "--yes", "--open-angle", "200").exception, ConfigError)


def test_a_flap_that_never_opens_is_refused(config: Path) -> None:
    refused = run(config, "--yes", "--rest-angle", "80", "--open-angle", "80").exception
    assert isinstance(refused, ConfigError)
    assert "found 80 for both" in str(refused)


def test_what_is_no_angle_is_asked_again(config: Path) -> None:
    result = run(config, "--open-s", "0.01", answers="nan\ninf\n10\n\n\ny\ny\n")
    assert result.exit_code == 0, result.output
    assert result.output.count("expected +, ++, -, -- or a number") == 2
    assert SiteFolder(config.parent / "site").read().actuators["paper"].rest_angle == 10


def test_a_bin_without_a_flap_is_named(config: Path) -> None:
    assert isinstance(run(config, "--bin", "rest").exception, UsageError)
    assert isinstance(run(config, "--bin", "glass").exception, UsageError)


def test_a_held_flap_goes_to_its_safe_position_at_the_end() -> None:
    lines = SimulatedLines()
    flap = ServoFlap(ServoSettings(17, rest_angle=0.0, travel_s=0.01), lines)
    flap.hold(180.0)
    pin = lines.pin(17)
    # 2.5 ms of 20 ms, then 0.5 ms of it, then no pulses.
    assert pin.state == pytest.approx(0.125)
    flap.close()
    states = [state.state for state in pin.states]
    assert states[-3:] == pytest.approx([0.125, 0.025, 0.0])
    lines.close()


def test_nothing_is_asked_of_nobody() -> None:
    desk = Desk(Config(), SiteFolder(Path("nowhere")), Talk(is_sure=True, as_json=False))
    assert desk.talk.read("how long", default="3") == "3"
