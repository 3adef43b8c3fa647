"""The device's models: checked before they are kept, changed by renames only, and never half there."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge.bundle import DEFAULT_BUNDLE, MODEL, load_bundle
from edge.commands.model import model
from edge.errors import BundleError, CheckFailedError, MissingInputError, SignatureError, TryAgainError
from edge.models.fetch import fetched, pack
from edge.models.store import ModelStore, Role
from tests.edge.models.locked import locked


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """The shipped bundle under another name, and so with another id."""
    target = tmp_path / "other"
    shutil.copytree(DEFAULT_BUNDLE, target)
    manifest = target / "manifest.json"
    name = load_bundle(DEFAULT_BUNDLE).manifest.name
    manifest.write_text(manifest.read_text().replace(f'"{name}"', '"another"', 1))
    return target


def test_the_model_before_is_kept_and_comes_back(store: ModelStore, other: Path) -> None:
    first, second = store.install(DEFAULT_BUNDLE), store.install(other)
    assert store.path_of(Role.ACTIVE) is None
    store.activate(first.short_name)
    store.activate(second.short_name)
    active, previous = store.path_of(Role.ACTIVE), store.path_of(Role.PREVIOUS)
    assert active is not None
    assert previous is not None
    assert (active.name, previous.name) == (second.short_name, first.short_name)
    assert store.roll_back() == first.short_name
    assert store.roll_back() == "the shipped model"
    with pytest.raises(MissingInputError, match="nothing to go back to"):
        store.roll_back()


def test_a_damaged_model_is_not_what_is_gone_back_to(store: ModelStore, other: Path) -> None:
    first, second = store.install(DEFAULT_BUNDLE), store.install(other)
    store.activate(first.short_name)
    store.activate(second.short_name)
    (store.folder / second.short_name / MODEL).write_bytes(b"rotten")
    shutil.copytree(store.folder / first.short_name, store.folder / "third@3")
    store.activate("third@3")
    assert store.path_of(Role.PREVIOUS) == store.folder / first.short_name


def test_installing_again_changes_nothing(store: ModelStore) -> None:
    name = store.install(DEFAULT_BUNDLE).short_name
    before = {path: path.stat().st_mtime_ns for path in (store.folder / name).rglob("*")}
    store.install(DEFAULT_BUNDLE)
    assert {path: path.stat().st_mtime_ns for path in (store.folder / name).rglob("*")} == before


@pytest.mark.parametrize("is_lost", [False, True])
def test_installing_again_mends_a_model_that_the_card_has_damaged(store: ModelStore, *, is_lost: bool) -> None:
    name = store.install(DEFAULT_BUNDLE).short_name
    store.activate(name)
    rotten = store.folder / name / MODEL
    content = bytearray(rotten.read_bytes())
    content[len(content) // 2] ^= 1
    rotten.write_bytes(content)
    if is_lost:
        rotten.unlink()
    assert store.install(DEFAULT_BUNDLE).short_name == name
    assert rotten.read_bytes() == (DEFAULT_BUNDLE / MODEL).read_bytes()
    active = store.path_of(Role.ACTIVE)
    assert active is not None
    assert active.name == name


def test_a_damaged_bundle_is_not_kept(store: ModelStore, other: Path) -> None:
    content = bytearray((other / MODEL).read_bytes())
    content[len(content) // 2] ^= 1
    (other / MODEL).write_bytes(content)
    with pytest.raises(BundleError):
        store.install(other)
    assert store.names() == ()


def test_a_model_that_answers_differently_here_is_not_kept(store: ModelStore, other: Path) -> None:
    manifest = other / "manifest.json"
    parsed = load_bundle(other).manifest
    golden = parsed.golden[0].model_copy(update={"logits": parsed.golden[0].logits[::-1], "scores": ()})
    changed = parsed.model_copy(update={"golden": (golden, *parsed.golden[1:])})
    manifest.write_text(changed.model_dump_json(by_alias=True))
    with pytest.raises(CheckFailedError, match="answers differently on this machine"):
        store.install(other)
    assert store.names() == ()
    store.activate(store.install(DEFAULT_BUNDLE).short_name)
    with locked(store), pytest.raises(CheckFailedError):  # while it is checked, a bin may go back to its model before
        store.install(other)


def test_of_two_that_change_the_models_at_once_the_second_is_told_to_try_again(store: ModelStore, other: Path) -> None:
    name = store.install(DEFAULT_BUNDLE).short_name
    for change in (lambda: store.install(other), lambda: store.activate(name), lambda: store.shadow(name)):
        with locked(store), pytest.raises(TryAgainError, match="another command is changing the models"):
            change()
    assert store.names() == (name,)
    assert store.path_of(Role.ACTIVE) is None


def test_what_has_no_role_goes_the_oldest_first_but_for_two(store: ModelStore) -> None:
    for age, name in enumerate(("new@1", "newer@1", "old@1", "candidate@1", "previous@1", "active@1")):
        shutil.copytree(DEFAULT_BUNDLE, store.folder / name)
        seconds = {"new@1": 8, "newer@1": 9}.get(name, age)
        os.utime(store.folder / name, (seconds, seconds))
    for name in ("previous@1", "active@1"):
        store.activate(name)
    store.shadow("candidate@1")
    installed = store.install(DEFAULT_BUNDLE).short_name
    assert set(store.names()) == {"active@1", "previous@1", "candidate@1", "new@1", "newer@1", installed}


def test_the_active_model_activated_again_leaves_the_one_before_it(store: ModelStore, other: Path) -> None:
    first, second = store.install(DEFAULT_BUNDLE).short_name, store.install(other).short_name
    for name in (first, second, second):
        store.activate(name)
    assert store.roll_back() == first


def test_a_bundle_that_changes_after_it_was_checked_is_not_kept(
    store: ModelStore, other: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "source"
    shutil.copytree(DEFAULT_BUNDLE, source)
    monkeypatch.setattr(
        "edge.models.store._check_answers", lambda _: shutil.copytree(other, source, dirs_exist_ok=True)
    )
    with pytest.raises(BundleError, match="was changed while it was installed"):
        store.install(source)
    assert store.names() == ()


def test_what_is_installed_can_be_read_by_the_bin_whoever_installed_it(store: ModelStore) -> None:
    assert store.install(DEFAULT_BUNDLE).path.stat().st_mode & 0o777 == 0o755


def test_with_a_key_nothing_unsigned_is_kept(tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "models", "ed25519:" + "A" * 43 + "=")
    with pytest.raises(SignatureError):
        store.install(DEFAULT_BUNDLE)
    assert store.names() == ()


def test_what_lies_beside_a_bundle_is_not_copied(store: ModelStore, other: Path) -> None:
    (other / "virus.sh").write_text("#!/bin/sh\n")
    installed = store.install(other)
    assert not (installed.path / "virus.sh").exists()


INSTALL = """
import sys
from pathlib import Path
from edge.models.store import ModelStore
ModelStore(Path(sys.argv[1])).install(Path(sys.argv[2]))
"""


def test_killed_at_any_moment_the_old_model_goes_on(store: ModelStore, other: Path) -> None:
    old = store.install(DEFAULT_BUNDLE).short_name
    store.activate(old)
    chance = random.Random(4)  # noqa: S311
    for _ in range(6):
        with subprocess.Popen([sys.executable, "-c", INSTALL, store.folder, other]) as process:
            try:
                process.wait(timeout=chance.uniform(0.2, 1.2))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
        active = store.path_of(Role.ACTIVE)
        assert active is not None
        assert active.name == old
        for name in store.names():
            load_bundle(store.folder / name)
    store.install(other)
    assert not list(store.folder.glob(".incoming-*"))


def test_a_full_disk_leaves_the_old_model(store: ModelStore, other: Path) -> None:
    """A limit on the size of files ends a write where a full disk would; in a process of its own."""
    old = store.install(DEFAULT_BUNDLE).short_name
    store.activate(old)

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))

    answer = subprocess.run(
        [sys.executable, "-c", INSTALL, store.folder, other],
        capture_output=True, text=True, check=False, preexec_fn=limit,
    )  # fmt: skip
    assert "StorageError" in answer.stderr
    assert store.names() == (old,)
    assert not list(store.folder.glob(".incoming-*"))


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "model.zip"
    pack(load_bundle(DEFAULT_BUNDLE), path)
    return path


def test_a_packed_bundle_is_the_same_bytes_and_the_same_bundle(archive: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.zip"
    pack(load_bundle(DEFAULT_BUNDLE), again)
    assert again.read_bytes() == archive.read_bytes()
    with fetched(str(archive), tmp_path / "downloads") as folder:
        assert load_bundle(folder).bundle_id == load_bundle(DEFAULT_BUNDLE).bundle_id


def hostile(path: Path, name: str, content: bytes = b"x", mode: int = 0o644) -> Path:
    """A .zip with one entry."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        entry = zipfile.ZipInfo(name)
        entry.external_attr = mode << 16
        entry.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(entry, content)
    return path


@pytest.mark.parametrize(("name", "mode"), [("../../etc/passwd", 0o644), ("/etc/passwd", 0o644), ("link", 0o120777)])
def test_an_archive_that_leads_out_of_itself_is_refused(tmp_path: Path, name: str, mode: int) -> None:
    with (
        pytest.raises(BundleError, match="does not stay inside"),
        fetched(str(hostile(tmp_path / "h.zip", name, mode=mode)), tmp_path),
    ):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["h.zip"]


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    bomb = hostile(tmp_path / "bomb.zip", "manifest.json", b"\0" * 250_000_000)
    assert bomb.stat().st_size < 1_000_000
    with pytest.raises(BundleError, match="unpacks to more than"), fetched(str(bomb), tmp_path):
        pass


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 nonsense", b"text"])
def test_a_file_that_is_no_archive(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.zip").write_bytes(content)
    with pytest.raises(BundleError, match="not a whole"), fetched(str(tmp_path / "model.zip"), tmp_path):
        pass


def test_a_shadow_run_can_be_called_off(tmp_path: Path, other: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    run = CliRunner()
    assert run.invoke(model, ["install", str(other), "--shadow", "5"]).exit_code == 0
    assert "in the shadow no more" in run.invoke(model, ["rollback"]).output
    assert "shadow" not in run.invoke(model, ["status"]).output
