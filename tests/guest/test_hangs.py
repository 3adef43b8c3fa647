"""What systemd makes of a process that stands still, and of an inference that fails or never comes back."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.edge.classifiers import test_accelerator
from tests.guest.bins import READY_S, WATCHING, begin, show_items
from tests.guest.guest import Guest

BUNDLES = "/opt/sorter/lib/python3*/site-packages/edge/bundles"
ACCELERATED = f"""{WATCHING}
[model]
backend = "edgetpu"
bundle = "/opt/accelerated"
"""


@pytest.fixture
def accelerated(guest: Guest, tmp_path: Path) -> Guest:
    """A guest with the driver of an accelerator, which is tests/edge/classifiers/vanishing_delegate.c, and a model."""
    if shutil.which("cc") is None:
        pytest.skip("needs a C compiler: apt install gcc libc6-dev")
    library = tmp_path / "library"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, test_accelerator.SOURCE], check=True)
    guest.write("/root/library", base64.b64encode(library.read_bytes()).decode())
    guest("sh", "-c", (
        "base64 -d /root/library > /usr/lib/libedgetpu.so.1; cd /opt;"
        f"cp -r {BUNDLES}/default accelerated; cp accelerated/model.tflite accelerated/model_edgetpu.tflite"
    ))  # fmt: skip
    manifest = json.loads(guest("cat", "/opt/accelerated/manifest.json"))
    manifest["files"]["model_edgetpu.tflite"] = manifest["files"]["model.tflite"]
    guest.write("/opt/accelerated/manifest.json", json.dumps(manifest))
    return guest


def test_a_process_that_stands_still_is_restarted(guest: Guest) -> None:
    stopped = guest.shown("MainPID")
    guest("kill", "-STOP", stopped)
    guest.until_logged("Watchdog timeout", READY_S)
    guest.until_more("NRestarts", 1)
    guest.until("ActiveState", "active", READY_S)
    assert guest.shown("MainPID") != stopped


def test_an_inference_that_never_comes_back_is_a_hang(accelerated: Guest) -> None:
    begin(accelerated, ACCELERATED, "Environment=VANISHES_AFTER=3 HANGS=1")
    show_items(accelerated)
    accelerated.until_logged("Watchdog timeout", READY_S)
    accelerated.until_more("NRestarts", 1)


def test_an_accelerator_that_vanishes_is_named_and_tried_again(accelerated: Guest) -> None:
    begin(accelerated, ACCELERATED, "Environment=VANISHES_AFTER=3")
    show_items(accelerated)
    accelerated.until_logged("is the accelerator still there", READY_S)
    accelerated.until_more("NRestarts", 1)
    accelerated.until("ActiveState", "active", READY_S)
