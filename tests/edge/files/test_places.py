"""Where a bin keeps what it remembers, whoever asks, and whose that is."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from edge.bundle import DEFAULT_BUNDLE
from edge.files.places import give_to_owner, state_folder

BIN_USER, STRANGER = 4711, 4712
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="another user's files need root")


@contextmanager
def acting_as(user: int) -> Iterator[None]:
    """This process as another user and as nothing but the member of a group with the same number."""
    groups = os.getgroups()
    os.setgroups([])
    os.setresgid(user, user, 0)
    os.setresuid(user, user, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)
        os.setresgid(0, 0, 0)
        os.setgroups(groups)


def test_the_service_s_own_folder_comes_first_then_the_machine_s_then_the_user_s(tmp_path: Path) -> None:
    home = {"XDG_STATE_HOME": str(tmp_path / "home")}
    assert state_folder({"STATE_DIRECTORY": "/srv/a:/srv/b", **home}, tmp_path) == Path("/srv/a")
    assert state_folder(home, tmp_path) == tmp_path
    assert state_folder(home, tmp_path / "none") == tmp_path / "home" / "sorter"


@needs_root
@pytest.mark.parametrize(("mode", "is_seen"), [(0o750, True), (0o710, False), (0o700, False)])
def test_who_may_only_look_into_the_machine_s_folder_reads_there(mode: int, *, is_seen: bool) -> None:
    """As a member of the service's group does, whose journal it is, too."""
    with TemporaryDirectory() as name:  # others may not enter pytest's own
        machine = Path(name) / "sorter"
        machine.mkdir()
        os.chown(machine, BIN_USER, STRANGER)
        machine.chmod(mode)
        machine.parent.chmod(0o711)
        with acting_as(STRANGER):
            found = state_folder({"XDG_STATE_HOME": "/home"}, machine)
    assert (found == machine) == is_seen


@needs_root
def test_what_root_leaves_in_a_bin_s_folder_is_the_bin_s(tmp_path: Path) -> None:
    """Its model, its trial and its journal: the service could not write them."""
    state = tmp_path / "state"
    state.mkdir()
    os.chown(state, BIN_USER, BIN_USER)
    environment = {**os.environ, "STATE_DIRECTORY": str(state)}
    command = [sys.executable, "-m", "edge", "model", "install", str(DEFAULT_BUNDLE)]
    subprocess.run(command, check=True, capture_output=True, timeout=120, env=environment)
    assert {path.lstat().st_uid for path in state.rglob("*")} == {BIN_USER}
    assert (state / "models" / "trial.json").is_file()


@needs_root
def test_what_is_another_user_s_or_has_a_second_name_stays_whose_it_was(tmp_path: Path) -> None:
    state, password_file = tmp_path / "state", tmp_path / "shadow"
    state.mkdir()
    password_file.touch()
    (state / "sly").hardlink_to(password_file)
    (state / "link").symlink_to(password_file)
    (state / "foreign").touch()
    os.chown(state / "foreign", STRANGER, STRANGER)
    os.chown(state, BIN_USER, BIN_USER)
    give_to_owner(state)
    assert (password_file.stat().st_uid, (state / "foreign").stat().st_uid) == (0, STRANGER)
    give_to_owner(tmp_path / "none")
