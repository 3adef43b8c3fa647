"""A model on trial that cannot be used here: the start goes back to the one before, whatever the reason."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from edge.assembly.core import open_core
from edge.assembly.misfits import misfits
from edge.assembly.models import ModelWatch, install_latest, with_model_that_starts
from edge.assembly.parts import classifier_at, load_parts
from edge.bundle import DEFAULT_BUNDLE, MODEL, Bundle, load_bundle
from edge.classifiers.litert import LiteRTClassifier
from edge.classifiers.taught import Blend, Known, SiteHead, TaughtClassifier, encode_head
from edge.clock import ReplayClock, SystemClock
from edge.commands.model import model
from edge.config import load_config, with_site
from edge.doctor import bin as doctor
from edge.doctor.finding import Level
from edge.errors import ConfigError, MissingInputError, SorterError, TryAgainError
from edge.journal import IN_MEMORY, Journal
from edge.messages import Frame, Outcome, Phase, Presence, Sight
from edge.models.shadow import begin_shadow, read_shadow
from edge.models.store import ModelStore, Role
from edge.models.trial import MAX_STARTS, MIN_BASELINE, begin_trial, read_trial
from edge.preprocess import load_picture, to_input
from edge.running.farewell import Farewell
from edge.site import default_site, part_name
from tests.edge.accelerator import compiled_bundle
from tests.edge.models.locked import locked
from tests.edge.records import a_record, fill

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


def deny(bundle: Path) -> None:
    """Reading it fails, as of a sector that is lost: a folder where the file was."""
    (bundle / MODEL).unlink()
    (bundle / MODEL).mkdir()


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


def test_a_bin_that_never_gets_further_than_its_model_is_no_fault_of_the_model(store: ModelStore) -> None:
    """As while the camera is unplugged: systemd starts such a bin every few seconds."""
    begin_trial(store, "new@2", 100, [])
    config = load_config(None, BINS, {}, checks=[misfits])
    for _ in range(MAX_STARTS + 1):
        assert with_model_that_starts(config, load_parts).bundle.path == store.folder / "new@2"
    assert read_trial(store) is not None


def test_without_a_trial_one_that_fits_no_bin_is_a_mistake_that_is_named(store: ModelStore) -> None:
    know_other_things(store.folder / "old@1")
    with pytest.raises(ConfigError, match="leaf 0"):
        load_config(None, BINS, {}, checks=[misfits])


@pytest.mark.parametrize("spoil", [damage, shutil.rmtree, deny])
def test_for_a_model_that_the_card_has_damaged_the_one_before_stands_in(
    store: ModelStore, spoil: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    store.activate("new@2")
    spoil(store.folder / "new@2")
    config = load_config(None, BINS, {}, checks=[misfits])
    parts = with_model_that_starts(config, load_parts)
    assert parts.bundle.path == store.folder / "old@1"
    assert "stands in for new@2" in (parts.complaint or "")
    assert parts.complaint in caplog.text
    warned = next(doctor.model(config))
    assert (warned.level, "stands in for new@2" in warned.found) == (Level.WARNING, True)
    assert "sorter model install" in warned.advice
    with Farewell() as stack:
        core = open_core(stack, parts, SystemClock(), lambda: None)
        assert core.problems.sentences() == [parts.complaint]


def test_what_stands_in_is_whole_and_has_a_bin_for_each_of_its_classes(store: ModelStore) -> None:
    store.activate("new@2")
    damage(store.folder / "new@2")
    know_other_things(store.folder / "old@1")
    config = load_config(None, BINS, {}, checks=[misfits])
    assert with_model_that_starts(config, load_parts).bundle.path == DEFAULT_BUNDLE

    chosen = [word for line in BINS for word in ("--set", line)]
    told = json.loads(CliRunner().invoke(model, ["status", "--json", *chosen]).output)
    assert (told["runs"], told["active"]) == (str(DEFAULT_BUNDLE), "new@2")
    assert "stands in for new@2" in told["complaint"]

    of_leaves = ['decision.classes."leaf 0".min_confidence=0.9']
    shutil.rmtree(store.folder / "old@1")
    with pytest.raises(SorterError, match=r"model\.tflite is damaged"):
        load_config(None, of_leaves, {}, checks=[misfits])

    glass_only = ['bins.all={labels=["glass", "metal"]}']
    with pytest.raises(SorterError, match=r"model\.tflite is damaged"):
        load_config(None, glass_only, {}, checks=[misfits])


def test_for_a_model_that_the_configuration_names_nothing_stands_in(store: ModelStore) -> None:
    damage(store.folder / "new@2")
    named = [*BINS, f"model.bundle={store.folder / 'new@2'}"]
    with pytest.raises(SorterError, match=r"model\.tflite is damaged"):
        load_config(None, named, {}, checks=[misfits])


def test_only_what_is_signed_stands_in(store: ModelStore) -> None:
    damage(store.folder / "old@1")
    key = f"model.public_key=ed25519:{base64.b64encode(bytes(32)).decode()}"
    with pytest.raises(SorterError, match=r"model\.tflite is damaged"):
        load_config(None, [*BINS, key], {}, checks=[misfits])


def at_once(task: Callable[[], object]) -> None:
    task()


@pytest.fixture
def journal() -> Iterator[Journal]:
    """What the bin decided before, enough to hold a new model against."""
    with closing(Journal(IN_MEMORY, ReplayClock())) as journal:
        fill(journal, MIN_BASELINE)
        yield journal


def test_the_model_in_the_shadow_is_watched_and_promoted(store: ModelStore, journal: Journal) -> None:
    begin_shadow(store, "new@2", 1)
    reloads: list[str] = []
    config = load_config(None, BINS, {})
    watch = ModelWatch(config, journal, at_once, lambda: reloads.append("now"))
    classifier = classifier_at(config, load_bundle(store.folder / "new@2"))
    picture = load_picture(DEFAULT_BUNDLE / load_bundle(DEFAULT_BUNDLE).manifest.golden[0].picture)
    answer = classifier.classify(to_input(picture, classifier.input_spec, None, 1))
    for see in watch.observers:
        see(Sight(Frame(0, 0.0, picture), Presence(Phase.SETTLED), 1, None, answer, num_turns=1))
    decision = replace(a_record(1).decision, label=classifier.labels[int(answer.scores.argmax())])
    for tell in watch.listeners:
        tell(replace(a_record(1), decision=decision))
    assert reloads == ["now"]
    assert store.path_of(Role.ACTIVE) == store.folder / "new@2"


def test_a_model_that_is_asked_for_while_another_command_writes_stays_in_the_shadow(
    store: ModelStore, journal: Journal
) -> None:
    begin_shadow(store, "new@2", 50)
    reloads: list[str] = []
    config = load_config(None, BINS, {})
    with locked(store), pytest.raises(TryAgainError):
        install_latest(config, journal, lambda: reloads.append("now"))
    assert (reloads, store.path_of(Role.ACTIVE)) == ([], store.folder / "old@1")
    assert read_shadow(store) is not None

    install_latest(config, journal, lambda: reloads.append("now"))
    assert (reloads, store.path_of(Role.ACTIVE)) == (["now"], store.folder / "new@2")
    assert read_shadow(store) is None
    trial = read_trial(store)
    assert trial is not None
    assert trial.num_wanted == 50
    assert trial.baseline is not None
    with pytest.raises(MissingInputError, match="none runs in the shadow"):
        install_latest(config, journal, lambda: None)


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


BATTERY_BINS = [
    'bins.recycling={labels=["cardboard", "glass", "metal", "paper", "plastic"]}',
    'bins.rest={labels=["trash"], takes_unknown=true}',
    'bins.hazard={labels=["battery"]}',
    "decision.classes.battery={min_confidence=0.9, min_margin=0.2}",
    "decision.costs.rest.battery=5.0",
]


def test_a_bin_for_what_was_taught_in_the_usual_place_is_no_mistake(store: ModelStore) -> None:
    store.roll_back()
    taught_site(default_site(), load_bundle(DEFAULT_BUNDLE))
    parts = load_parts(with_site(load_config(None, BATTERY_BINS, {}, checks=[misfits])))
    assert parts.routing.bin_for(Outcome.ACCEPTED, "battery") == "hazard"


@pytest.mark.parametrize("is_damaged", [False, True])
def test_what_must_be_taught_again_for_another_model_does_not_stop_the_bin(
    store: ModelStore, *, is_damaged: bool
) -> None:
    taught_site(default_site(), load_bundle(DEFAULT_BUNDLE))
    if is_damaged:
        store.activate("new@2")
        damage(store.folder / "new@2")
    parts = load_parts(with_site(load_config(None, BATTERY_BINS, {}, checks=[misfits])))
    assert parts.bundle.path == store.folder / "old@1"
    assert parts.classifier.labels == parts.bundle.manifest.labels
    assert any("sorter teach --again" in sentence for sentence in parts.site.again)


def test_a_bin_for_what_was_never_taught_is_a_mistake(store: ModelStore) -> None:
    taught_site(default_site(), load_bundle(DEFAULT_BUNDLE))
    with pytest.raises(ConfigError, match="names 'wood', which the model does not know"):
        load_config(None, [*BINS, 'bins.wood={labels=["wood"]}'], {}, checks=[misfits])


def test_a_site_in_the_usual_place_that_cannot_be_read_is_named(store: ModelStore) -> None:
    taught_site(default_site(), load_bundle(store.folder / "old@1"))
    (default_site() / "site.toml").write_text("schema = 1\nhead = 3\n", encoding="utf-8")
    with pytest.raises(SorterError, match=r"site\.toml"):
        load_config(None, BINS, {}, checks=[misfits])
