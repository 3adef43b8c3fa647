"""A model asked for while the bin runs: a real web server, and a real process that fetches and checks."""

from __future__ import annotations

import hashlib
import json
import queue
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.bundle import DEFAULT_BUNDLE, MODEL, load_bundle
from edge.journal import Entry
from edge.models.fetch import pack
from edge.models.remote_install import InstallReport, RemoteInstaller, Stage, Terms
from edge.models.shadow import read_shadow
from edge.models.store import ModelStore, Role
from edge.models.trial import read_trial
from edge.publishers.commands import InstallFrom
from tests.edge.web_server import Site, serving

PATIENCE_S = 60.0
KEY = "ed25519:" + "A" * 43 + "="


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The shipped model as one file."""
    path = tmp_path_factory.mktemp("packed") / "model.zip"
    pack(load_bundle(DEFAULT_BUNDLE), path)
    return path.read_bytes()


@pytest.fixture
def site(content: bytes) -> Iterator[Site]:
    with serving(content) as site:
        yield site


@pytest.fixture
def silent() -> Iterator[str]:
    """An address that takes requests and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/model.zip"


class Bench:
    """An installer, and what it says; `changes` gets a None for each reload that it asks for."""

    def __init__(self, store: ModelStore, *, is_fixed: bool = False) -> None:
        self.store = store
        self.reports: queue.Queue[InstallReport] = queue.Queue()
        self.changes: queue.Queue[None] = queue.Queue()
        self.installer = RemoteInstaller(Terms(store, is_fixed), list, self.reports.put, lambda: self.changes.put(None))

    def outcome(self) -> InstallReport:
        """The next final report."""
        while not (report := self.reports.get(timeout=PATIENCE_S)).is_final:
            pass
        return report


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(ModelStore(tmp_path / "models"))
    yield bench
    bench.installer.stop()


def test_one_that_ends_in_a_bug_is_told_and_another_may_be_asked_for(bench: Bench, site: Site) -> None:
    faults = [RuntimeError("nobody thought of this")]

    def before() -> list[Entry]:
        if faults:
            raise faults.pop()
        return []

    bench.installer = RemoteInstaller(Terms(bench.store, is_fixed=False), before, bench.reports.put, lambda: None)
    wanted = InstallFrom(url=site.address, sha256=digest_of(site.content))
    bench.installer.ask(wanted)
    assert "RuntimeError: nobody thought of this" in (bench.outcome().error or "")
    bench.installer.ask(wanted)
    assert bench.outcome().stage is Stage.INSTALLED


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_model_with_its_digest_comes_and_is_on_trial(bench: Bench, site: Site) -> None:
    bench.installer.ask(InstallFrom(url=f"{site.address}?token=secret", sha256=digest_of(site.content), trial=30))
    report = bench.outcome()
    assert report.stage is Stage.INSTALLED, report
    assert report.source == site.address, "no secret is told on"
    bench.changes.get(timeout=PATIENCE_S)
    active, trial = bench.store.path_of(Role.ACTIVE), read_trial(bench.store)
    assert active is not None
    assert trial is not None
    assert active.name == report.model == trial.model
    assert trial.num_wanted == 30

    bench.installer.ask(InstallFrom(url=site.address, sha256=digest_of(site.content)))
    assert bench.outcome().stage is Stage.INSTALLED
    assert bench.changes.empty(), "a message that comes twice disturbs nobody"


def test_the_active_model_that_another_stands_in_for_is_mended_and_taken_up_again(bench: Bench, site: Site) -> None:
    name = bench.store.install(DEFAULT_BUNDLE).short_name
    bench.store.activate(name)
    (bench.store.folder / name / MODEL).write_bytes(b"rotten")
    terms = Terms(bench.store, is_fixed=False, has_stand_in=True)
    bench.installer = RemoteInstaller(terms, list, bench.reports.put, lambda: bench.changes.put(None))
    bench.installer.ask(InstallFrom(url=site.address, sha256=digest_of(site.content)))
    assert bench.outcome().stage is Stage.INSTALLED
    bench.changes.get(timeout=PATIENCE_S)
    assert load_bundle(bench.store.folder / name).short_name == name


def test_a_model_may_run_in_the_shadow_of_another_first(bench: Bench, site: Site) -> None:
    shutil.copytree(DEFAULT_BUNDLE, bench.store.folder / "another@1")
    bench.store.activate("another@1")
    bench.installer.ask(InstallFrom(url=site.address, sha256=digest_of(site.content), shadow=12))
    assert bench.outcome().stage is Stage.INSTALLED
    shadow = read_shadow(bench.store)
    assert shadow is not None
    assert shadow.num_wanted == 12
    assert bench.store.path_of(Role.ACTIVE) == bench.store.folder / "another@1"


@pytest.mark.parametrize(
    ("sha256", "public_key", "is_fixed", "complaint"),
    [
        (None, None, False, "expected the sha256 of the file, or model.public_key"),
        ("0" * 64, None, False, "expected a file with the SHA-256 000"),
        (None, KEY, False, "is not signed, but model.public_key is set"),
        ("0" * 64, None, True, "model.bundle in the configuration"),
    ],
    ids=["no digest and no key", "another digest", "not signed", "the configuration names the model"],
)
def test_what_nobody_vouches_for_is_not_taken(
    tmp_path: Path, site: Site, sha256: str | None, public_key: str | None, *, is_fixed: bool, complaint: str
) -> None:
    bench = Bench(ModelStore(tmp_path / "models", public_key), is_fixed=is_fixed)
    bench.installer.ask(InstallFrom(url=site.address, sha256=sha256))
    report = bench.outcome()
    assert report.stage is Stage.FAILED
    assert complaint in (report.error or "")
    assert bench.store.names() == ()
    assert bench.changes.empty()
    bench.installer.stop()


def test_while_one_comes_no_other_does_and_a_stop_waits_for_neither(bench: Bench, silent: str) -> None:
    first = InstallFrom(url=silent, sha256="0" * 64)
    bench.installer.ask(first)
    bench.installer.ask(first)
    report = bench.outcome()
    assert "another installation is under way" in (report.error or "")
    bench.installer.stop()
    assert "the bin was stopped meanwhile" in (bench.outcome().error or "")


def test_progress_is_told_on_the_way(bench: Bench, site: Site) -> None:
    bench.installer.ask(InstallFrom(url=site.address, sha256=digest_of(site.content)))
    first = bench.reports.get(timeout=PATIENCE_S)
    assert first.stage is Stage.DOWNLOADING
    assert json.loads(first.to_json()) == {
        "schema": 1, "stage": "downloading", "source": site.address, "percent": first.percent,
    }  # fmt: skip
    assert bench.outcome().stage is Stage.INSTALLED
