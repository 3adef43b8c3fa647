"""Which model runs: the configured one, the active one of the device's store, or the shipped one."""

from __future__ import annotations

from pathlib import Path

from edge.bundle import DEFAULT_BUNDLE, Bundle
from edge.config.sections import Config
from edge.files.places import state_folder
from edge.models.signatures import load_trusted_bundle
from edge.models.store import ModelStore, Role
from edge.models.trial import read_trial


def model_store(config: Config) -> ModelStore:
    """The device's store."""
    return ModelStore(state_folder() / "models", config.model.public_key)


def bundle_path(config: Config) -> Path:
    """The bundle that runs. The store is passed over when the configuration names a bundle."""
    return config.model.bundle or model_store(config).path_of(Role.ACTIVE) or DEFAULT_BUNDLE


def load_chosen(config: Config) -> Bundle:
    """The bundle that runs, checked against the owner's key where one is set.

    Raises:
        SorterError: as `load_trusted_bundle`.
    """
    return load_trusted_bundle(bundle_path(config), config.model.public_key)


def is_on_trial(config: Config) -> bool:
    """Whether the bundle that runs may be rolled back."""
    return config.model.bundle is None and read_trial(model_store(config)) is not None
