"""A bin with lines, a broker and a journal, as an owner runs it, commands it, asks it, and stops or kills it."""

from __future__ import annotations

import csv
import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from edge.files.pictures import PictureReader
from tests.edge.publishers.broker import Broker, Listener

Sorter = Callable[..., CompletedProcess[str]]

_LINE = re.compile(r"line GPIO(\d+): (\S+)")

BIN = """
[device]
id = "hall"
[camera]
backend = "simulated"
num_items = 1000
[gpio]
simulated = true
[bins.recycling]
labels = ["glass", "metal", "plastic"]
actuator = { kind = "gpio", pin = 17, pulse_s = 0.2 }
[bins.paper]
labels = ["cardboard", "paper"]
actuator = { kind = "servo", pin = 27, open_s = 0.1, travel_s = 0.05 }
[bins.rest]
labels = ["trash"]
takes_unknown = true
actuator = { kind = "pwm", pin = 22, power = 0.5, pulse_s = 0.1 }
"""


class Running:
    """`sorter run` in a process of its own."""

    def __init__(self, folder: Path, settings: str) -> None:
        self.config = folder / "sorter.toml"
        self.journal = folder / "state" / "journal.sqlite"
        self.config.write_text(f'{settings}\n[journal]\npath = "{self.journal}"\n', encoding="utf-8")
        self.process = subprocess.Popen(
            [Path(sys.executable).with_name("sorter"), "run", "--config", self.config, "--json", "-v"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def decision(self) -> dict[str, Any]:
        """The next one."""
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())  # type: ignore[no-any-return]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> str:
        """Everything on stderr; the process has ended."""
        self.process.send_signal(number)
        _, told = self.process.communicate(timeout=60)
        return told


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], Running]]:
    begun: list[Running] = []

    def begin(settings: str) -> Running:
        begun.append(Running(tmp_path, settings))
        return begun[-1]

    yield begin
    for running in begun:
        running.process.kill()
        running.process.communicate()


def states(told: str) -> dict[int, list[str]]:
    """What each line did, in order."""
    found: dict[int, list[str]] = {}
    for pin, value in _LINE.findall(told):
        found.setdefault(int(pin), []).append(value)
    return found


def test_what_a_killed_bin_left_behind_is_made_safe_from_outside(
    start: Callable[[str], Running], sorter: Sorter
) -> None:
    running = start(BIN)
    running.decision()
    running.stop(signal.SIGKILL)
    made = sorter("actuators", "safe", "--config", str(running.config), "-v")
    assert made.returncode == 0, made.stderr
    assert made.stdout == "safe: paper, recycling, rest\n"
    assert states(made.stderr)[27] == ["0.025", "0"]


def test_actuators_are_listed_and_tried(sorter: Sorter, tmp_path: Path) -> None:
    config = tmp_path / "sorter.toml"
    config.write_text(BIN + 'confirm = { by = "switch", pin = 5, num_retries = 0, timeout_s = 0 }\n', encoding="utf-8")
    listed = sorter("actuators", "list", "--config", str(config), "--json").stdout.splitlines()
    assert [json.loads(line)["actuator"]["kind"] for line in listed] == ["gpio", "servo", "pwm"]
    good = sorter("actuators", "test", "recycling", "paper", "--config", str(config), "-v")
    assert (good.returncode, good.stdout) == (0, "recycling: moved\npaper: moved\n")
    assert states(good.stderr)[17] == ["1", "0"]
    # A simulated switch sees what moves; a jam is made in tests/edge/actuators, where a switch can stay open.
    whole = sorter("actuators", "test", "--config", str(config))
    assert (whole.returncode, whole.stdout) == (0, "recycling: moved\npaper: moved\nrest: confirmed\n")
    assert sorter("actuators", "test", "attic", "--config", str(config)).returncode == 2


def test_a_command_over_mqtt_switches_movements_off_and_the_state_says_so(
    start: Callable[[str], Running], mosquitto: str, tmp_path: Path
) -> None:
    broker = Broker(mosquitto, tmp_path)
    broker.start()
    states_told = Listener(broker.port, "sorter/hall/state", "states")
    outcomes = Listener(broker.port, "sorter/hall/actuation", "outcomes")
    running = start(f'{BIN}[mqtt]\nhost = "127.0.0.1"\nport = {broker.port}\nhome_assistant = true\n')
    first = running.decision()
    outcome = json.loads(outcomes.next().payload)
    assert (outcome["seq"], outcome["bin"], outcome["commanded"]) == (first["seq"], first["bin"], True)

    states_told.say("sorter/hall/enabled/set", b"OFF")
    states_told.say("sorter/hall/unknown_threshold/set", b"1")
    states_told.say("sorter/hall/cmd/mark_wrong", b"trash")
    while json.loads(states_told.next().payload)["unknown_threshold"] != 1:
        pass
    later = (running.decision() for _ in range(9))  # the first of them may have been made before
    assert any(not one["commanded"] and one["outcome"] in ("unknown", "left_early") for one in later)

    states_told.say("sorter/hall/cmd/restart", b"PRESS")
    _, told = running.process.communicate(timeout=60)
    assert running.process.returncode == 0
    assert "its service starts it again" in told
    assert "has shown all" not in told  # its camera had more
    states_told.close()
    outcomes.close()
    broker.close()


def test_decisions_are_listed_explained_and_corrected_while_the_bin_runs_and_every_line_is_off_after_sigterm(
    start: Callable[[str], Running], sorter: Sorter
) -> None:
    running = start(BIN)
    printed = [running.decision() for _ in range(2)]
    assert all(decision["commanded"] for decision in printed)
    at = ("--journal", str(running.journal))

    listed = [json.loads(line) for line in sorter("events", *at, "--json", "--limit", "100").stdout.splitlines()]
    assert [entry["id"] for entry in listed[:2]] == [decision["id"] for decision in printed]
    for both in (["--csv", "--json"], ["--unknown", "--outcome", "accepted"]):
        assert sorter("events", *at, *both).returncode == 2
    table = list(csv.DictReader(sorter("events", *at, "--csv", "--since", "1h").stdout.splitlines()))
    assert table[0]["id"] == printed[0]["id"]
    story = sorter("explain", "1", *at).stdout
    assert printed[0]["reason"] in story
    assert "left out: it moved" in story
    told = json.loads(sorter("explain", printed[0]["id"], *at, "--json").stdout)
    assert sum("scores" in frame for frame in told["trace"]["frames"]) == printed[0]["frames"]["used"]
    assert sorter("correct", "1", "trash", *at).stdout.endswith("noted as wrong, it is trash\n")
    assert [json.loads(line)["seq"] for line in sorter("events", *at, "--wrong", "--json").stdout.splitlines()] == [1]
    assert sorter("explain", "999", *at).returncode == 66

    said = running.stop()
    assert running.process.returncode == 0, said
    lines = states(said)
    assert lines[27][:2] == ["0.025", "0"], "the servo goes to its rest before anything else, and lets go"
    assert {pin: values[-1] for pin, values in lines.items()} == dict.fromkeys(lines, "0")
    assert len(lines[{"recycling": 17, "paper": 27, "rest": 22}[printed[0]["bin"]]]) >= 2
    assert printed[0]["id"] in PictureReader(running.journal.with_name("journal.sqlite.pictures")).ids()


def test_a_rehearsal_never_says_that_something_was_commanded(sorter: Sorter) -> None:
    answer = sorter("run", "--dry-run", "--json", "--set", "camera.num_items=1", "--set", "camera.rate_hz=12")
    decisions = [json.loads(line) for line in answer.stdout.splitlines()]
    assert [decision["commanded"] for decision in decisions] == [False]


def test_a_bin_that_fails_leaves_every_line_off(start: Callable[[str], Running], tmp_path: Path) -> None:
    running = start(BIN)
    running.decision()
    other = tmp_path / "other"
    other.write_bytes(b"")
    other.replace(running.journal)
    _, told = running.process.communicate(timeout=120)
    assert running.process.returncode == 74
    assert "found another file in its place" in told
    assert {values[-1] for values in states(told).values()} == {"0"}
