"""The installed service with a model that vanishes, stands still or is damaged, in a real systemd."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from tests.box.box import CONFIG, SORTER, Box
from tests.edge.accelerator import build_driver

# A start may take half a minute on a busy computer.
WATCHDOG_S, START_S = 4, 45
STORE = "/var/lib/sorter/models"
DROP_IN = "/etc/systemd/system/sorter.service.d/fast.conf"
FAST = f"[Service]\nWatchdogSec={WATCHDOG_S}\nTimeoutStartSec={START_S}\nRestartSec=0.2\n"
# Of this very installation, under another name, and with its own model in the place of the compiled one.
OFFER = """
import shutil, sys
from pathlib import Path
from edge.bundle import DEFAULT_BUNDLE, EDGETPU_MODEL, MODEL, load_bundle
target = Path(sys.argv[1])
shutil.copytree(DEFAULT_BUNDLE, target)
shutil.copyfile(target / MODEL, target / EDGETPU_MODEL)
manifest = load_bundle(DEFAULT_BUNDLE).manifest
files = {**manifest.files, EDGETPU_MODEL: manifest.files[MODEL]}
changed = manifest.model_copy(update={"files": files, "name": target.name})
(target / "manifest.json").write_text(changed.model_dump_json(by_alias=True))
"""


@pytest.fixture
def service(box: Box) -> Box:
    """The box with the service at work, and two models beside the shipped one: `old`, which sorts, and `new`."""
    box.write(DROP_IN, FAST)
    box(SORTER, "service", "install")
    box.until("ActiveState", "active")
    for name in ("old", "new"):
        box("/opt/sorter/bin/python", "-c", OFFER, f"/root/{name}")
    box(SORTER, "model", "install", "/root/old", "--trial", "0")
    return box


@pytest.fixture
def accelerated(service: Box, tmp_path: Path) -> Box:
    """With the driver of an accelerator: tests/edge/classifiers/vanishing_delegate.c."""
    service.write("/root/driver", base64.b64encode(build_driver(tmp_path).read_bytes()).decode())
    service("sh", "-c", "base64 -d /root/driver > /usr/lib/libedgetpu.so.1")
    service("sh", "-c", f"printf '\\n[model]\\nbackend = \"edgetpu\"\\n' >> {CONFIG}")
    return service


def begin(service: Box, environment: str = "") -> None:
    """Start the service anew, in this environment."""
    service.write(DROP_IN, f"{FAST}Environment={environment}\n")
    service("systemctl", "daemon-reload")
    service("systemctl", "stop", "sorter")
    service("systemctl", "reset-failed", "sorter", is_checked=False)
    service("systemctl", "start", "--no-block", "sorter")


def seqs(service: Box) -> list[int]:
    """The numbers of all decisions."""
    lines = service(SORTER, "events", "--json", "--limit", "100000").splitlines()
    return sorted(json.loads(line)["seq"] for line in lines)


def active(service: Box) -> str:
    """The model that sorts, without its id."""
    return str(json.loads(service(SORTER, "model", "status", "--json"))["active"]).partition("@")[0]


def test_an_inference_that_never_comes_back_is_restarted_and_loses_nothing(accelerated: Box) -> None:
    """One for the start, and six for the first item; the next one stands still."""
    begin(accelerated, "VANISHES_AFTER=7 HANGS=1")
    accelerated.until("ActiveState", "active")
    before = seqs(accelerated)
    accelerated.until_more("NRestarts", 2, seconds=120)
    assert "Watchdog timeout" in accelerated.log()
    begin(accelerated, "VANISHES_AFTER=1000000")
    accelerated.until("ActiveState", "active")
    accelerated.wait(lambda: len(seqs(accelerated)) > len(before) + 2, 60)
    found = seqs(accelerated)
    assert found == list(range(1, len(found) + 1))


def test_an_accelerator_that_vanishes_is_named_and_tried_again(accelerated: Box) -> None:
    begin(accelerated, "VANISHES_AFTER=7")
    accelerated.until_logged("is the accelerator still there", seconds=90)
    accelerated.until_more("NRestarts", 2, seconds=90)
    found = seqs(accelerated)
    assert found == list(range(1, len(found) + 1))


def test_a_model_that_stands_still_at_its_first_picture_is_rolled_back_after_three_starts(accelerated: Box) -> None:
    accelerated(SORTER, "model", "install", "/root/new")
    assert active(accelerated) == "new"
    begin(accelerated, "VANISHES_AFTER=0 HANGS=1")
    accelerated.wait(lambda: active(accelerated) == "old", 4 * (START_S + 30))
    assert "did not come to a first picture in 3 starts" in accelerated.log()


def test_a_model_that_does_not_load_is_rolled_back_and_the_bin_sorts_on(service: Box) -> None:
    service(SORTER, "model", "install", "/root/new")
    begin(service)
    service.until("ActiveState", "active")
    assert active(service) == "new"
    service("sh", "-c", f"echo damaged > {STORE}/active/model.tflite")
    begin(service)
    service.until("ActiveState", "active")
    assert active(service) == "old"
    assert "rolled back to old" in service.log()
    assert service.shown("NRestarts") == "0"
