"""A model on trial that cannot be used here: the start goes back to the one before, whatever the reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge.assembly.misfits import misfits
from edge.assembly.models import with_model_that_starts
from edge.assembly.parts import classifier_at, load_parts
from edge.bundle import DEFAULT_BUNDLE, MODEL, Bundle, load_bundle
from edge.classifiers.litert import LiteRTClassifier
from edge.classifiers.taught import Blend, Known, SiteHead, TaughtClassifier, encode_head
from edge.config import load_config
from edge.errors import SorterError
from edge.models.store import ModelStore
from edge.models.trial import begin_trial
from edge.site import part_name
from tests.edge.accelerator import compiled_bundle

BINS = [
    'bins.recycling={labels=["cardboard", "glass", "metal", "paper", "plastic"]}',
    'bins.rest={labels=["trash"], takes_unknown=true}',
]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelStore:
    """The device's own, `old@1` active."""
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    store = ModelStore(tmp_path / "models")
    for name in ("old@1", "new@2"):
        compiled_bundle(store.folder / name)
    store.activate("old@1")
    return store


def damage(bundle: Path) -> None:
    (bundle / MODEL).write_bytes(b"nothing that was trained")


def know_other_things(bundle: Path) -> None:
    manifest = load_bundle(bundle).manifest
    labels = tuple(f"leaf {number}" for number in range(len(manifest.labels)))
    renamed = manifest.model_copy(update={"labels": labels})
    (bundle / "manifest.json").write_text(renamed.model_dump_json(by_alias=True), encoding="utf-8")


@pytest.mark.parametrize("spoil", [damage, know_other_things])
def test_a_model_that_does_not_load_or_fits_no_bin_is_rolled_back(
    store: ModelStore, spoil: Callable[[Path], None]
) -> None:
    begin_trial(store, "new@2", 100, [])
    spoil(store.folder / "new@2")
    config = load_config(None, BINS, {}, checks=[misfits])
    parts = with_model_that_starts(config, load_parts)
    assert parts.bundle.path == store.folder / "old@1"


@pytest.mark.parametrize("spoil", [damage, know_other_things])
def test_without_a_trial_it_is_a_mistake_that_is_named(store: ModelStore, spoil: Callable[[Path], None]) -> None:
    spoil(store.folder / "old@1")
    with pytest.raises(SorterError):
        load_config(None, BINS, {}, checks=[misfits])


def taught_site(folder: Path, bundle: Bundle) -> Path:
    """A site at which the bin was taught batteries with `bundle`."""
    labels, size = (*bundle.manifest.labels, "battery"), bundle.manifest.outputs.embedding_size or 0
    head = encode_head(
        SiteHead(
            features=np.eye(size, dtype=np.float32)[:1],
            known=Known(np.eye(size, dtype=np.float32)[1:2], 0.03),
            weights=np.zeros((size, len(labels)), np.float32),
            bias=np.zeros(len(labels), np.float32),
            means=np.eye(size, dtype=np.float32)[:1],
            blend=Blend(trust=0.5, temperature=0.2, lean=np.zeros(len(labels), np.float32)),
        )
    )
    name = part_name("head.npz", head)
    folder.mkdir()
    (folder / name).write_bytes(head)
    (folder / "site.toml").write_text(
        f"""schema = 1
[head]
made_at = 2026-11-21T06:00:00Z
bundle = "{bundle.bundle_id}"
labels = {list(labels)}
head = "{name}"
examples = "{part_name("taught.npz", b"")}"
num_examples = {{ battery = 1 }}
""",
        encoding="utf-8",
    )
    return folder


def test_what_was_taught_with_one_model_is_not_lent_to_another(tmp_path: Path) -> None:
    taught, other = load_bundle(DEFAULT_BUNDLE), load_bundle(compiled_bundle(tmp_path / "other"))
    site = taught_site(tmp_path / "site", taught)
    config = load_config(None, [f"site={site}"], {})
    assert isinstance(classifier_at(config, taught), TaughtClassifier)
    assert classifier_at(config, taught).labels == (*taught.manifest.labels, "battery")
    assert isinstance(classifier_at(config, other), LiteRTClassifier)
    assert classifier_at(config, other).labels == other.manifest.labels
