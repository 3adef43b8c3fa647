from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import InvalidDataError
from edge.publishers.commands import (
    COMMAND_TOPICS,
    Inbox,
    InstallFrom,
    MarkWrong,
    RemoteCommand,
    SetEnabled,
    SetUnknownThreshold,
    Verb,
    parse_command,
)

_LABELS = ("glass", "metal")


@pytest.mark.parametrize(
    ("topic", "payload", "command"),
    [
        ("enabled/set", b"ON", SetEnabled(is_enabled=True)),
        ("enabled/set", b"OFF", SetEnabled(is_enabled=False)),
        ("unknown_threshold/set", b"0.65", SetUnknownThreshold(0.65)),
        ("unknown_threshold/set", b"0", SetUnknownThreshold(0.0)),
        ("unknown_threshold/set", b"1", SetUnknownThreshold(1.0)),
        ("cmd/mark_wrong", b"PRESS", MarkWrong(None)),
        ("cmd/mark_wrong", b"", MarkWrong(None)),
        ("cmd/mark_wrong", b"glass", MarkWrong("glass")),
        ("cmd/restart", b"PRESS", Verb.RESTART),
        ("cmd/reset_counts", b"anything", Verb.RESET_COUNTS),
        ("cmd/install", b"", Verb.INSTALL),
        ("cmd/install", b"PRESS", Verb.INSTALL),
        ("cmd/install", b"https://a.example/m.zip?t=1", InstallFrom(url="https://a.example/m.zip?t=1")),
        (
            "cmd/install",
            b'{"url": "http://10.0.0.2:8000/m.zip", "shadow": 40}',
            InstallFrom(url="http://10.0.0.2:8000/m.zip", shadow=40),
        ),
    ],
)
def test_each_command_is_understood(topic: str, payload: bytes, command: RemoteCommand) -> None:
    assert parse_command(topic, payload, _LABELS) == command


@pytest.mark.parametrize(
    ("topic", "payload", "complaint"),
    [
        ("enabled/set", b"yes", "expected ON or OFF, found 'yes'"),
        ("unknown_threshold/set", b"1.01", "expected a number from 0 to 1"),
        ("unknown_threshold/set", b"-0.01", "expected a number from 0 to 1"),
        ("unknown_threshold/set", b"nan", "expected a number from 0 to 1"),
        ("unknown_threshold/set", b"", "expected a number from 0 to 1"),
        ("cmd/mark_wrong", b"../../etc", "expected one of glass, metal"),
        ("cmd/restart", b"\xff\xfe", "expected text in UTF-8"),
        ("cmd/restart", b"x" * 257, "expected at most 256 bytes, found 257"),
        ("cmd/install", b"/etc/passwd", "expected PRESS, an http.s. address, or .*: url: "),
        ("cmd/install", b"file:///etc/passwd", "expected PRESS"),
        ("cmd/install", b"http://[::1/model.zip", "expected PRESS"),
        ("cmd/install", b"http://a.example:99999/", "expected PRESS"),
        ("cmd/install", b'{"url": "https://a.example/m.zip", "sha256": "abc"}', "sha256: "),
        ("cmd/install", b'{"url": "https://a.example/m.zip", "run": "rm"}', "run: "),
        ("cmd/install", b'{"url": "https://a.example/m.zip", "trial": 0}', "trial: .*greater than or equal to 1"),
        ("cmd/install", b"https://a.example/" + b"x" * 2048, "expected at most 2048 bytes"),
        ("cmd/shutdown", b"", "cmd/shutdown: expected one of enabled/set"),
    ],
)
def test_anything_else_is_refused_with_what_was_expected(topic: str, payload: bytes, complaint: str) -> None:
    with pytest.raises(InvalidDataError, match=complaint):
        parse_command(topic, payload, _LABELS)


@given(topic=st.sampled_from(COMMAND_TOPICS) | st.text(max_size=40), payload=st.binary(max_size=400))
def test_no_message_does_more_than_be_understood_or_refused(topic: str, payload: bytes) -> None:
    inbox = Inbox(_LABELS)

    inbox.receive(topic, payload)

    command = inbox.take()
    if isinstance(command, SetUnknownThreshold):
        assert 0.0 <= command.threshold <= 1.0
    if isinstance(command, MarkWrong):
        assert command.label in (None, *_LABELS)
    assert inbox.take() is None


def test_what_is_refused_is_logged_once_until_something_is_understood(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    inbox = Inbox(_LABELS)
    for payload in (b"yes", b"no", b"ON", b"maybe"):
        inbox.receive("enabled/set", payload)
    refused = "command refused: enabled/set: expected ON or OFF, found"
    assert caplog.messages == [f"{refused} 'yes'", f"{refused} 'maybe'"]


def test_a_flood_leaves_sixteen_commands_and_one_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    inbox = Inbox(_LABELS)

    for _ in range(1000):
        inbox.receive("cmd/restart", b"")

    assert [inbox.take() for _ in range(17)] == [Verb.RESTART] * 16 + [None]
    assert len(caplog.records) == 1
    assert "16 commands wait already" in caplog.text
