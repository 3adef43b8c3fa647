"""An accelerator that is there, is not there, or is pulled out while it works: a real delegate, in C."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from edge.bundle import DEFAULT_BUNDLE, EDGETPU_MODEL, MODEL, load_bundle
from edge.classifiers.litert import LiteRTClassifier
from edge.errors import BundleError, UnavailableError

SOURCE = Path(__file__).with_name("vanishing_delegate.c")


@pytest.fixture(scope="module")
def delegate(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The library, built."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler: apt install gcc libc6-dev")
    library = tmp_path_factory.mktemp("delegate") / "libvanishing.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, SOURCE], check=True)
    return str(library)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """The shipped bundle with its own model in the place of the compiled one."""
    target = tmp_path / "bundle"
    shutil.copytree(DEFAULT_BUNDLE, target)
    shutil.copyfile(target / MODEL, target / EDGETPU_MODEL)
    loaded = load_bundle(DEFAULT_BUNDLE)
    files = {**loaded.manifest.files, EDGETPU_MODEL: loaded.manifest.files[MODEL]}
    manifest = loaded.manifest.model_copy(update={"files": files})
    (target / "manifest.json").write_text(manifest.model_dump_json(by_alias=True), encoding="utf-8")
    return target


def test_one_that_is_pulled_out_is_an_error_of_the_next_picture(
    bundle: Path, delegate: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VANISHES_AFTER", "3")
    classifier = LiteRTClassifier(load_bundle(bundle), delegate=delegate)
    picture = np.zeros((classifier.input_spec.height_px, classifier.input_spec.width_px, 3), np.uint8)
    for _ in range(3):
        classifier.classify(picture)
    with pytest.raises(UnavailableError, match="is the accelerator still there"):
        classifier.classify(picture)


def test_one_that_is_not_plugged_in(bundle: Path, delegate: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VANISHES_AFTER", raising=False)
    with pytest.raises(UnavailableError, match="plug it in"):
        LiteRTClassifier(load_bundle(bundle), delegate=delegate)


def test_a_driver_that_is_not_installed(bundle: Path) -> None:
    with pytest.raises(UnavailableError, match="install libedgetpu1-std"):
        LiteRTClassifier(load_bundle(bundle), delegate="libnotthere.so.1")


def test_a_bundle_without_a_compiled_model() -> None:
    with pytest.raises(BundleError, match="sorter convert --edgetpu"):
        LiteRTClassifier(load_bundle(DEFAULT_BUNDLE), delegate="libnotthere.so.1")
