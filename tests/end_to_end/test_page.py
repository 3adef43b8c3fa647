"""The page as an owner gets it: from the installed command, over a bin that sorts."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge.bundle import DEFAULT_BUNDLE
from tests.edge.web.standing import Visitor


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[Visitor]:
    """A visitor of the page that this command says it has opened; it must end well when it is asked to."""
    command = [Path(sys.executable).with_name("sorter"), *arguments]
    hidden = ("DISPLAY", "WAYLAND_DISPLAY")  # no browser of the desktop's
    environment = {name: text for name, text in os.environ.items() if name not in hidden}
    environment["STATE_DIRECTORY"] = str(folder)
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=folder, env=environment
    )
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if line.startswith("the page: "):
            break
    else:
        pytest.fail("".join(said))
    yield Visitor(line.removeprefix("the page: ").strip())
    process.send_signal(signal.SIGINT)
    _, complaints = process.communicate(timeout=60)
    assert process.returncode in (0, 130), complaints
    assert "Traceback" not in complaints


def test_a_running_bin_shows_its_decisions_with_their_pictures_on_its_page(tmp_path: Path) -> None:
    settings = ["--set", "web.port=0", "--set", "camera.backend=simulated", "--set", 'device.name="the hall"']
    with running(tmp_path, "run", *settings) as visitor:
        assert visitor.ask("/api/about").told["name"] == "the hall"
        decisions: list[dict[str, str]] = []
        after = -1
        while not decisions:
            answer = visitor.ask(f"/api/live.jpg?after={after}")  # waits for news
            assert answer.body.startswith(b"\xff\xd8")
            after = json.loads(answer.headers["sorter-sight"])["sequence"]
            decisions = visitor.ask("/api/now").told["decisions"]
        first = decisions[-1]["id"]
        path = f"/api/pictures/{first}.jpg"
        while visitor.ask(path).status == 404:  # it is written by a thread of its own
            visitor.ask(f"/api/live.jpg?after={after}")
        assert visitor.ask(path).body.startswith(b"\xff\xd8")
        assert visitor.send("/api/review/label", {"ids": [first], "label": "glass"}).status == 204
        assert visitor.ask("/api/now").told["decisions"][-1]["corrected"] == "glass"
        assert b"sorter_decisions_total{" in visitor.ask("/metrics").body


def test_a_page_that_others_can_reach_has_a_token_in_a_file_of_the_owners(tmp_path: Path) -> None:
    settings = ["--set", "web.port=0", "--set", "web.host=0.0.0.0", "--set", "camera.backend=simulated"]
    with running(tmp_path, "run", "--dry-run", *settings) as visitor:
        (kept,) = tmp_path.rglob("web-token")
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        assert visitor.ask("/api/now").status == 401
        assert visitor.ask("/api/now", Authorization=f"Bearer {kept.read_text().strip()}").status == 200


def test_a_model_is_tried_on_a_page_of_its_own(tmp_path: Path) -> None:
    golden = next((DEFAULT_BUNDLE / "golden").glob("*.png"))
    with running(tmp_path, "try", str(DEFAULT_BUNDLE)) as visitor:
        answer = visitor.ask("/api/try", golden.read_bytes())
        scores = json.loads(answer.body.splitlines()[0])["scores"]
        assert sum(scores.values()) == pytest.approx(1, abs=1e-5)
        assert visitor.ask("/api/now").status == 404
        assert visitor.ask("/api/about").told["name"].startswith("trashnet-lite0@"), "of several it says which this is"
