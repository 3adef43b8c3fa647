"""An accelerator without hardware: a real delegate in C under the driver's own name, and a bundle for it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from edge.bundle import DEFAULT_BUNDLE, EDGETPU_MODEL, MODEL, load_bundle
from edge.classifiers.litert import EDGETPU

_SOURCE = Path(__file__).parent / "classifiers" / "vanishing_delegate.c"


def build_driver(folder: Path) -> Path:
    """The library in `folder`; a process that has this folder in LD_LIBRARY_PATH takes it for Coral's driver.

    It is plugged in where VANISHES_AFTER says how many invocations it lives for.
    """
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler: apt install gcc libc6-dev")
    library = folder / EDGETPU
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, _SOURCE], check=True)
    return library


def compiled_bundle(target: Path) -> Path:
    """The shipped bundle in `target`, its own model also in the place of the compiled one."""
    shutil.copytree(DEFAULT_BUNDLE, target)
    shutil.copyfile(target / MODEL, target / EDGETPU_MODEL)
    loaded = load_bundle(DEFAULT_BUNDLE)
    files = {**loaded.manifest.files, EDGETPU_MODEL: loaded.manifest.files[MODEL]}
    manifest = loaded.manifest.model_copy(update={"files": files})
    (target / "manifest.json").write_text(manifest.model_dump_json(by_alias=True), encoding="utf-8")
    return target
