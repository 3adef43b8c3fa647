"""The service on a file system of its own: written once, left alone the second time, gone without a trace."""

from __future__ import annotations

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge.commands.service import service
from edge.config import load_config
from edge.errors import AccessDeniedError, UnavailableError
from edge.host.installation import UNIT, CommandStep, carry_out, plan_install, plan_uninstall, shipped_folder

PROGRAM = Path("/opt/sorter/bin/sorter")


def files_below(root: Path) -> dict[str, str]:
    """Every file's content by its name below `root`."""
    return {str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_file()}


def test_it_is_written_once_and_then_left_alone(tmp_path: Path) -> None:
    assert len(list(carry_out(plan_install(PROGRAM, tmp_path)))) == 4
    first = files_below(tmp_path)
    assert list(carry_out(plan_install(PROGRAM, tmp_path))) == []
    assert files_below(tmp_path) == first


def test_the_owners_configuration_survives_an_install_and_an_uninstall(tmp_path: Path) -> None:
    config = tmp_path / "etc/sorter/sorter.toml"
    config.parent.mkdir(parents=True)
    config.write_text("schema = 1\n# mine\n", encoding="utf-8")
    list(carry_out(plan_install(PROGRAM, tmp_path)))
    list(carry_out(plan_uninstall(tmp_path)))
    assert files_below(tmp_path) == {"etc/sorter/sorter.toml": "schema = 1\n# mine\n"}


def test_a_purge_leaves_nothing(tmp_path: Path) -> None:
    list(carry_out(plan_install(PROGRAM, tmp_path)))
    (tmp_path / "var/lib/sorter").mkdir(parents=True)
    (tmp_path / "var/lib/sorter/journal.sqlite").touch()
    list(carry_out(plan_uninstall(tmp_path, is_purged=True)))
    assert files_below(tmp_path) == {}


def test_the_first_configuration_is_valid(tmp_path: Path) -> None:
    list(carry_out(plan_install(PROGRAM, tmp_path)))
    assert load_config(tmp_path / "etc/sorter/sorter.toml", [], {}).device.id == "bin"


def test_the_unit_runs_the_program_that_installed_it(tmp_path: Path) -> None:
    program = Path("/home/ada/sorter/bin/sorter")
    list(carry_out(plan_install(program, tmp_path)))
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(tmp_path / "etc/systemd/system" / UNIT)
    assert unit["Service"]["ExecStart"].startswith(f"{program} run")
    assert unit["Service"]["ExecStopPost"].startswith(f"{program} actuators safe")
    assert unit["Service"]["ProtectHome"] == "read-only"


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    answer = CliRunner().invoke(service, ["install", "--dry-run", "--root", str(tmp_path)])
    assert f"write {tmp_path}/etc/systemd/system/{UNIT}" in answer.stdout
    assert files_below(tmp_path) == {}


def test_a_program_that_the_service_cannot_reach_is_refused(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(AccessDeniedError, match="install sorter into /opt/sorter"):
        plan_install(closed / "sorter")


def test_a_command_that_fails_says_what_it_said() -> None:
    with pytest.raises(UnavailableError, match=r"run ls /not/there: .*No such file"):
        list(carry_out([CommandStep(("ls", "/not/there"))]))
    assert list(carry_out([CommandStep(("ls", "/not/there"), may_fail=True)])) == ["run ls /not/there"]


needs_systemd_analyze = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")


@pytest.fixture
def unit_in_place(tmp_path: Path) -> Path:
    """The shipped unit, with a program that exists."""
    unit = tmp_path / UNIT
    unit.write_text((shipped_folder() / UNIT).read_text().replace(str(PROGRAM), "/bin/true"))
    return unit


@needs_systemd_analyze
def test_systemd_understands_every_line(unit_in_place: Path) -> None:
    """Version 252 returns 0 even for unknown keys: only its silence means that all is well."""
    answer = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit_in_place], capture_output=True, text=True, check=False
    )
    assert [line for line in answer.stderr.splitlines() if UNIT in line] == []
    assert answer.returncode == 0


@needs_systemd_analyze
def test_its_exposure_is_low(unit_in_place: Path) -> None:
    answer = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", unit_in_place],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stdout[-300:]
