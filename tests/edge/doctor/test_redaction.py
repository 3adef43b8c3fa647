from __future__ import annotations

import pytest

from edge.config import Config, load_config
from edge.doctor.redaction import hide

SECRETS = [
    "mqtt.host=broker.local",
    "mqtt.username=alice-w",
    "mqtt.password=hunter2!",
    "webhook.url=https://example.org/hook/T0KENINPATH",
    "webhook.token=wh-token-123",
    "camera.backend=stream",
    "camera.url=rtsp://cam:eyes0pen@10.0.0.7/live",
]


@pytest.fixture
def config() -> Config:
    return load_config(None, SECRETS, {})


@pytest.mark.parametrize(
    "line",
    [
        "broker refused alice-w with hunter2!",
        "POST https://example.org/hook/T0KENINPATH: 500",
        "Authorization: Bearer wh-token-123",
        "rtsp://cam:eyes0pen@10.0.0.7/live: no answer",
        "rtsp://cam:eyes0pen@10.0.0.8/other: no answer",
    ],
)
def test_what_the_settings_keep_secret_is_hidden_wherever_it_stands(config: Config, line: str) -> None:
    hidden = hide(line, config)
    assert not any(word in hidden for word in ("alice", "hunter2", "T0KEN", "wh-token", "eyes0pen"))
    assert "[hidden]" in hidden


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("the page: http://10.0.0.5:8765/?token=AbC-123_x", "the page: http://10.0.0.5:8765/?token=[hidden]"),
        ("GET /m.zip?v=1&sig=abcd&x=2", "GET /m.zip?v=1&sig=[hidden]&x=2"),
        ('{"password": "hunter3"}', '{"password": "[hidden]"}'),
        ("https://bob:pw@host/model.zip: 404", "https://[hidden]@host/model.zip: 404"),
        ("Authorization: Basic Ym9iOnB3", "Authorization: Basic [hidden]"),
        ("/home/bob/bin/site cannot be read", "~/bin/site cannot be read"),
    ],
)
def test_what_looks_like_a_secret_is_hidden(line: str, told: str) -> None:
    assert hide(line, Config()) == told


def test_what_helps_stays(config: Config) -> None:
    line = "2026-11-21 sorter[7]: camera lost: /dev/video0 (broker.local:1883), 12 frames/s, 3 tokens"
    assert hide(line, config) == line
