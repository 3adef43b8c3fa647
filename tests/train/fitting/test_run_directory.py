from __future__ import annotations

import importlib.metadata

from train.fitting.run_directory import recorded_versions


def test_the_version_of_tensorflow_is_recorded_however_its_distribution_spells_itself() -> None:
    installed = {found.name.lower(): found.version for found in importlib.metadata.distributions()}
    named = {"tensorflow", "tensorflow-cpu", "tensorflow_cpu"} & installed.keys()
    assert named
    versions = recorded_versions()
    for name in named:
        assert versions[name.replace("_", "-")] == installed[name]
