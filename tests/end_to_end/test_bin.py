"""The whole bin as an owner runs it: the installed command, the shipped model, real files, a real broker."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import cv2
import numpy as np
import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from edge.bundle import DEFAULT_BUNDLE, load_bundle
from edge.models.fetch import pack
from tests.edge.cameras.test_stream import MjpegServer
from tests.edge.claimed_port import ClaimedPort
from tests.edge.presence.watcher import ground
from tests.edge.publishers.broker import Broker
from tests.edge.web_server import serving
from tests.scenes.pictures import load_stage

Sorter = Callable[..., CompletedProcess[str]]

WALL_TIME = re.compile(r'"ts":"[^"]*"')
CLIP = "bins/videos/built_dark_plastic"


def lines(answer: CompletedProcess[str]) -> list[dict[str, Any]]:
    assert answer.returncode == 0, answer.stderr
    return [json.loads(line) for line in answer.stdout.splitlines()]


def test_the_demo_decides_every_rendered_item_once_and_nearly_all_right(sorter: Sorter) -> None:
    *decisions, score = lines(sorter("demo", "--fast", "--json"))
    assert score["event_type"] == "score"
    assert (score["num_missed"], score["num_invented"], score["num_doubled"]) == (0, 0, 0)
    assert len(decisions) == score["num_events"] == 12
    assert score["num_right"] >= 10, "nine in ten, of twelve"


def test_the_demo_speaks_to_people_too_and_does_not_count_its_loading_as_a_delay(sorter: Sorter) -> None:
    answer = sorter("demo", "--items", "1")
    assert answer.returncode == 0
    assert "1 item: 1 right" in answer.stdout
    assert " -> " in answer.stdout
    assert "decided 0.25 s after an item came to rest" in answer.stdout, "by the film's own times"


def test_a_replay_without_a_decision_says_what_to_try(sorter: Sorter, tmp_path: Path) -> None:
    for index in range(24):
        cv2.imwrite(str(tmp_path / f"{index:02}.png"), np.roll(ground(), 9 * index * (index > 15), axis=1))
    answer = sorter("replay", str(tmp_path), "--set", "presence.learn_s=0.5")
    assert answer.returncode == 0
    assert "no decision: 24 frames" in answer.stderr
    assert "Nothing lay still: leave out what moves at the rim (presence.region)" in answer.stderr


def test_a_folder_of_pictures_is_shown_as_fast_as_it_was_taken(sorter: Sorter, tmp_path: Path) -> None:
    for index in range(7):
        cv2.imwrite(str(tmp_path / f"{index}.png"), ground())
    for settings, lasts_s in (((), "0.5"), (("--set", "camera.rate_hz=5"), "1.2")):
        assert f"no decision: 7 frames in {lasts_s} s" in sorter("replay", str(tmp_path), *settings).stderr


def test_a_replay_prints_the_same_bytes_again_but_for_the_wall_time(sorter: Sorter, shared_data: Path) -> None:
    first, second = (sorter("replay", str(shared_data / f"{CLIP}.mp4"), "--json") for _ in range(2))
    assert first.stdout
    assert WALL_TIME.sub("", first.stdout) == WALL_TIME.sub("", second.stdout)


def test_a_real_clip_gives_one_decision_for_each_item_and_none_in_between(sorter: Sorter, shared_data: Path) -> None:
    clip, truth = (str(shared_data / f"{CLIP}.{suffix}") for suffix in ("mp4", "json"))
    *decisions, score = lines(sorter("replay", clip, "--truth", truth, "--json"))
    assert len(decisions) == score["num_events"] == score["num_found"] == 5
    assert (score["num_invented"], score["num_doubled"]) == (0, 0)


def test_the_shipped_model_is_as_good_as_its_card_says(sorter: Sorter, shared_data: Path) -> None:
    (metrics,) = lines(sorter("evaluate", str(shared_data / "trashnet"), "--json"))
    assert metrics["num_images"] > 350
    assert metrics["accuracy"] >= 0.915


def test_a_picture_is_classified_in_text_and_json(sorter: Sorter, shared_data: Path) -> None:
    picture = str(next(iter(sorted((shared_data / "trashnet" / "cardboard").glob("*.jpg")))))
    assert sorter("classify", picture).stdout.startswith(f"{picture}: ")
    (answer,) = lines(sorter("classify", picture, "--json"))
    assert answer["confidence"] == max(answer["scores"].values())
    assert sum(answer["scores"].values()) == pytest.approx(1, abs=1e-3)  # each is rounded to 4 places


def test_a_recording_replays_what_the_camera_saw(sorter: Sorter, tmp_path: Path) -> None:
    kept = sorter("record", str(tmp_path / "morning"), "--seconds", "6")
    assert kept.returncode == 0, kept.stderr
    num_frames = len(list((tmp_path / "morning" / "frames").iterdir()))
    assert f": {num_frames} frames; next: sorter replay" in kept.stdout
    assert num_frames > 10
    replayed = sorter("replay", str(tmp_path / "morning"), "--json")
    (decision,) = lines(replayed)
    assert decision["outcome"] == "accepted"

    at_s = decision["t_s"]
    event = {"label": "Glas", "enters": 0, "settled": at_s, "leaves": at_s, "gone": at_s}
    (tmp_path / "truth.json").write_text(json.dumps({"events": [event]}))
    scored = sorter("replay", str(tmp_path / "morning"), "--truth", str(tmp_path / "truth.json"))
    assert "the truth names Glas; the model knows cardboard, glass," in scored.stderr

    expected = tmp_path / "expected.jsonl"
    expected.write_text(replayed.stdout)
    again = sorter("replay", str(tmp_path / "morning"), "--expect", str(expected))
    assert again.returncode == 0, again.stderr
    expected.write_text(replayed.stdout.replace('"bin":"' + decision["bin"], '"bin":"elsewhere'))
    differing = sorter("replay", str(tmp_path / "morning"), "--expect", str(expected))
    assert differing.returncode == 1
    assert f"-> elsewhere, found accepted {decision['label']} -> {decision['bin']}" in differing.stderr


def test_a_simulated_clip_is_decided_as_its_truth_says(sorter: Sorter, tmp_path: Path) -> None:
    photographs = tmp_path / "photographs"
    stage, empty = load_stage(), tmp_path / "empty.png"
    cv2.imwrite(str(empty), stage.empty[..., ::-1])
    for item in stage.items:
        (photographs / item.label).mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(photographs / item.label / f"{item.source}.png"), item.picture[..., ::-1])
    clip = tmp_path / "clip.avi"
    built = sorter(
        "simulate",
        "--items",
        str(photographs),
        "--background",
        str(empty),
        "--out",
        str(clip),
        "--limit",
        "3",
    )
    assert built.returncode == 0, built.stderr
    *_, score = lines(sorter("replay", str(clip), "--truth", str(clip.with_suffix(".json")), "--json"))
    assert (score["num_events"], score["num_found"]) == (3, 3)


@pytest.fixture
def broker(mosquitto: str, tmp_path: Path) -> Iterator[int]:
    """The port of a broker of our own on loopback."""
    broker = Broker(mosquitto, tmp_path)
    broker.start()
    yield broker.port
    broker.close()


class Listener:
    """Everything that was said below `sorter/`, by topic."""

    def __init__(self, port: int) -> None:
        self.heard: dict[str, list[str]] = {}
        self._news = threading.Condition()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2)
        subscribed = threading.Event()
        self._client.on_connect = lambda client, *_: client.subscribe("sorter/#", 1)
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.on_message = self._hear
        self._client.connect_async("127.0.0.1", port)
        self._client.loop_start()
        assert subscribed.wait(60)

    def _hear(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        with self._news:
            self.heard.setdefault(message.topic, []).append(message.payload.decode(errors="replace"))
            self._news.notify_all()

    def wait_for(self, topic: str, count: int) -> list[str]:
        with self._news:
            assert self._news.wait_for(lambda: len(self.heard.get(topic, ())) >= count, 60), self.heard
        return self.heard[topic]

    def wait_until(self, topic: str, begins: str) -> str:
        """The first message on a topic, of those not waited for yet, that begins like this."""
        with self._news:
            heard = self.heard.setdefault(topic, [])
            assert self._news.wait_for(lambda: any(one.startswith(begins) for one in heard), 60), self.heard
            while not (message := heard.pop(0)).startswith(begins):
                pass
            return message

    def say(self, topic: str, payload: str) -> None:
        self._client.publish(topic, payload, qos=1).wait_for_publish(60)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def test_a_running_bin_journals_and_publishes_each_decision_and_stops_on_sigterm(broker: int, tmp_path: Path) -> None:
    config = tmp_path / "sorter.toml"
    config.write_text(
        f"""
        [device]
        id = "hall"
        [camera]
        backend = "simulated"
        num_items = 100
        [bins.recycling]
        labels = ["glass", "metal", "plastic"]
        [bins.paper]
        labels = ["cardboard", "paper"]
        [bins.rest]
        labels = ["trash"]
        takes_unknown = true
        [mqtt]
        host = "127.0.0.1"
        port = {broker}
        [journal]
        path = "{tmp_path}/journal.sqlite"
        """,
        encoding="utf-8",
    )
    listener = Listener(broker)
    command = [Path(sys.executable).with_name("sorter"), "run", "--config", config, "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    published = [json.loads(payload) for payload in listener.wait_for("sorter/hall/decision", 2)]
    process.send_signal(signal.SIGTERM)
    printed, complaints = process.communicate(timeout=20)
    assert process.returncode == 0, complaints
    assert listener.wait_for("sorter/hall/availability", 2)[-1] == "offline"
    listener.close()
    said = [json.loads(line) for line in printed.splitlines()]
    with sqlite3.connect(tmp_path / "journal.sqlite") as journal:
        written = [json.loads(record) for (record,) in journal.execute("SELECT record FROM decisions ORDER BY seq")]
    assert written == said
    assert [record["seq"] for record in said] == list(range(1, len(said) + 1))
    assert [record["id"] for record in published[:2]] == [record["id"] for record in said[:2]]
    assert all(record["bin"] in ("recycling", "paper", "rest") for record in said if record["outcome"] == "accepted")


def test_a_network_camera_that_dies_is_a_problem_on_the_broker_until_it_is_back(broker: int, tmp_path: Path) -> None:
    port = ClaimedPort()
    server = MjpegServer(port.number)
    listener = Listener(broker)
    settings = {
        "device.id": "hall",
        "camera.backend": "stream",
        "camera.url": server.url,
        "mqtt.host": "127.0.0.1",
        "mqtt.port": str(broker),
        "journal.path": str(tmp_path / "journal.sqlite"),
    }
    config = tmp_path / "sorter.toml"
    config.touch()
    overrides = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    command = [Path(sys.executable).with_name("sorter"), "run", "--config", config, *overrides]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    listener.wait_for("sorter/hall/state", 1)  # told after a whole tick: frames flow
    server.die()
    assert "hung up" in listener.wait_until("sorter/hall/problem", "camera stalled")
    assert "is the camera on" in listener.wait_until("sorter/hall/problem", "camera unplugged")
    reborn = MjpegServer(port.number)
    listener.wait_until("sorter/hall/problem", "none")
    process.send_signal(signal.SIGTERM)
    _, complaints = process.communicate(timeout=20)
    reborn.die()
    port.close()
    listener.close()
    assert process.returncode == 0, complaints
    logged = [line.partition(" camera ")[2].split()[0] for line in complaints.splitlines()]
    assert logged == ["stalled:", "unplugged:", "works"]


def test_a_model_that_is_asked_for_over_mqtt_comes_and_sorts(broker: int, tmp_path: Path) -> None:
    bundle, archive = tmp_path / "another", tmp_path / "model.zip"
    shutil.copytree(DEFAULT_BUNDLE, bundle)
    manifest = load_bundle(bundle).manifest.model_copy(update={"name": "another"})
    (bundle / "manifest.json").write_text(manifest.model_dump_json(by_alias=True), encoding="utf-8")
    pack(load_bundle(bundle), archive)
    listener = Listener(broker)
    chosen = {"device.id": "hall", "camera.backend": "simulated", "mqtt.host": "127.0.0.1", "mqtt.port": str(broker)}
    command = ["run", *(word for key, value in chosen.items() for word in ("--set", f"{key}={value}"))]
    process = subprocess.Popen(
        [Path(sys.executable).with_name("sorter"), *command],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path)}, cwd=tmp_path,
    )  # fmt: skip
    listener.wait_for("sorter/hall/state", 1)
    with serving(archive.read_bytes()) as site:
        wanted = {"url": site.address, "sha256": hashlib.sha256(site.content).hexdigest()}
        listener.say("sorter/hall/cmd/install", json.dumps(wanted))
        told = json.loads(listener.wait_until("sorter/hall/install", '{"schema":1,"stage":"installed"'))
    assert told["model"] == load_bundle(bundle).short_name
    while json.loads(listener.wait_until("sorter/hall/state", "{"))["model"] != told["model"]:
        pass
    process.send_signal(signal.SIGTERM)
    _, complaints = process.communicate(timeout=20)
    listener.close()
    assert process.returncode == 0, complaints
