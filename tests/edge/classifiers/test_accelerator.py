"""An accelerator that is there, is not there, or is pulled out while it works: a real delegate, in C."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.bundle import DEFAULT_BUNDLE, load_bundle
from edge.classifiers.litert import LiteRTClassifier
from edge.errors import BundleError, UnavailableError
from tests.edge.accelerator import build_driver, compiled_bundle


@pytest.fixture(scope="module")
def delegate(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(build_driver(tmp_path_factory.mktemp("delegate")))


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return compiled_bundle(tmp_path / "bundle")


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
