"""Which model runs: the configured one, the active one of the device's store, or the shipped one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge.assembly.classes import class_misfits
from edge.bundle import DEFAULT_BUNDLE, Bundle
from edge.config.sections import Config
from edge.errors import SorterError
from edge.files.places import state_folder
from edge.models.signatures import load_trusted_bundle
from edge.models.store import ModelStore, Role
from edge.models.trial import read_trial


@dataclass(frozen=True, slots=True)
class Chosen:
    """The bundle that runs; `complaint` tells of the one that it stands in for, None where it does for none."""

    bundle: Bundle
    complaint: str | None = None


def model_store(config: Config) -> ModelStore:
    """The device's store."""
    return ModelStore(state_folder() / "models", config.model.public_key)


def bundle_path(config: Config) -> Path:
    """The bundle that is to run. The store is passed over when the configuration names a bundle."""
    return config.model.bundle or model_store(config).named(Role.ACTIVE) or DEFAULT_BUNDLE


def load_chosen(config: Config) -> Chosen:
    """The bundle that runs, checked against the owner's key where one is set.

    Cards rot, and nobody may come for months: where the store's active model is damaged or gone, the one before it
    stands in, or the shipped one, the first that is whole and has a bin for each of its classes. For a model that the
    configuration names nothing stands in, and one on trial is rolled back instead.

    Raises:
        SorterError: as `load_trusted_bundle`.
    """
    wanted = bundle_path(config)
    try:
        return Chosen(load_trusted_bundle(wanted, config.model.public_key))
    except SorterError as error:
        stand_in = None if config.model.bundle is not None or is_on_trial(config) else _stand_in(config)
        if stand_in is None:
            raise
        sentence = f"{stand_in.short_name} stands in for {wanted.name}, which cannot be used"
        return Chosen(stand_in, f"{sentence}: install it again with `sorter model install` ({error})")


def is_on_trial(config: Config) -> bool:
    """Whether the bundle that runs may be rolled back."""
    return config.model.bundle is None and read_trial(model_store(config)) is not None


def _stand_in(config: Config) -> Bundle | None:
    for path in (model_store(config).named(Role.PREVIOUS), DEFAULT_BUNDLE):
        try:
            bundle = None if path is None else load_trusted_bundle(path, config.model.public_key)
            if bundle is not None and not any(class_misfits(config, bundle)):
                return bundle
        except SorterError:
            continue
    return None
