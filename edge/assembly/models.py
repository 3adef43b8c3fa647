"""A model on its way to the one that runs: installed, in the shadow, on trial, rolled back."""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np

from edge.assembly.chosen import model_store
from edge.assembly.parts import Parts, classifier_at
from edge.config.sections import Config
from edge.errors import MissingInputError, SorterError
from edge.journal import Entry, Journal, JournalReader, JournalView
from edge.messages import Sight
from edge.models.remote_install import InstallReport, RemoteInstaller, Terms
from edge.models.shadow import ShadowWatch, promote, read_shadow
from edge.models.signatures import load_trusted_bundle
from edge.models.store import Role
from edge.models.trial import TrialWatch, end_badly, has_started, read_trial, survive_start
from edge.records import DecisionRecord
from edge.running.farewell import Farewell

log = logging.getLogger(__name__)

# The decisions that tell how the bin did before a new model came.
_NUM_BEFORE = 300


def with_model_that_starts(config: Config, load: Callable[[Config], Parts]) -> Parts:
    """`load(config)`, and one picture classified: a model that stands still or fails does so before the bin is ready.

    A model on trial that does not get so far is rolled back: at once where it fails, where it stands still at the
    next start but `MAX_STARTS`.

    Raises:
        SorterError: as `load` and the network, when no model on trial is to blame.
    """
    if config.model.bundle is not None:
        return _proven(load(config))
    store = model_store(config)
    survive_start(store)
    try:
        parts = _proven(load(config))
    except SorterError as error:
        trial = read_trial(store)
        if trial is None:
            raise
        end_badly(store, f"{trial.model} does not start ({error})")
        return _proven(load(config))
    has_started(store)
    return parts


def _proven(parts: Parts) -> Parts:
    spec = parts.classifier.input_spec
    parts.classifier.classify(np.zeros((spec.height_px, spec.width_px, 3), np.uint8))
    return parts


def latest_model(config: Config, running: str) -> str:
    """The name of the model that could be installed: the one in the shadow, else the one that is `running`."""
    candidate = model_store(config).path_of(Role.CANDIDATE) if config.model.bundle is None else None
    return running if candidate is None else candidate.name


def install_latest(config: Config, journal: Journal, on_change: Callable[[], None]) -> None:
    """Let the model in the shadow sort from now on, on trial; `on_change` asks for a reload.

    Raises:
        MissingInputError: no model runs in the shadow.
        TryAgainError, StorageError: as `promote`.
    """
    store = model_store(config)
    candidate = store.path_of(Role.CANDIDATE) if config.model.bundle is None else None
    if candidate is None:
        raise MissingInputError("asked to install a newer model, but none runs in the shadow of this one")
    shadow = read_shadow(store)
    promote(store, candidate.name, shadow.num_wanted if shadow is not None else 0, before_now(journal))
    on_change()


def open_installer(
    stack: Farewell,
    parts: Parts,
    before: Callable[[], list[Entry]],
    report: Callable[[InstallReport], None],
    on_change: Callable[[], None],
) -> RemoteInstaller:
    """What brings a model from the web into the device's store; `stack` ends it."""
    is_fixed, has_stand_in = parts.config.model.bundle is not None, parts.complaint is not None
    terms = Terms(model_store(parts.config), is_fixed, has_stand_in)
    installer = RemoteInstaller(terms, before, report, on_change)
    stack.stopping(installer.stop)
    return installer


class ModelWatch:
    """The trial and the shadow run of the device's store, as the loop's onlookers.

    `later` does what takes a disk; `on_change` asks for a reload, from any thread.
    """

    def __init__(
        self,
        config: Config,
        journal: Journal,
        later: Callable[[Callable[[], object]], None],
        on_change: Callable[[], None],
    ) -> None:
        store = model_store(config)
        self.observers: list[Callable[[Sight], None]] = []
        self.listeners: list[Callable[[DecisionRecord], None]] = [TrialWatch(store, later, on_change).tell]
        candidate = store.path_of(Role.CANDIDATE)
        if read_shadow(store) is None or candidate is None or config.model.bundle is not None:
            return
        try:
            classifier = classifier_at(config, load_trusted_bundle(candidate, config.model.public_key))
        except SorterError as error:
            log.warning("no shadow run: %s", error)
            return
        watch = ShadowWatch(store, classifier, later, lambda: before_now(journal), on_change)
        self.observers.append(watch.saw)
        self.listeners.append(watch.tell)


def before_now(journal: Journal | JournalView | JournalReader) -> list[Entry]:
    """The latest decisions, against which a new model is on trial."""
    return journal.decisions(limit=_NUM_BEFORE, newest_first=True)
