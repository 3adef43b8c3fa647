"""Who may look."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest

from edge.errors import ConfigError, StorageError
from edge.web.access import MAX_WRONG, WAIT_S, Access, is_loopback, keep_token
from tests.edge.web.standing import TOKEN


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "192.168.1.7", "[::1]:8765", "localhost:1", "bin.example:80"])
def test_an_address_and_the_machines_own_names_are_admitted(host: str) -> None:
    assert Access(None, ["bin.example"]).admits_host(host)
    assert Access(None).admits_host(socket.gethostname())


@pytest.mark.parametrize("host", ["", "evil.example", "evil.example:8765", "127.0.0.1.evil.example", "[evil]", ":80"])
def test_a_name_that_somebody_pointed_at_this_machine_is_not(host: str) -> None:
    assert not Access(None, ["bin.example"]).admits_host(host)


def test_wrong_tokens_are_slowed_down_for_whoever_shows_them_and_nobody_else() -> None:
    access = Access(TOKEN)
    for attempt in range(MAX_WRONG):
        assert not access.must_wait("guesser", float(attempt))
        assert not access.accepts_token(f"guess {attempt}", "guesser", float(attempt))
    assert access.must_wait("guesser", MAX_WRONG)
    assert not access.must_wait("owner", MAX_WRONG)
    assert access.accepts_token(TOKEN, "owner", MAX_WRONG)
    assert not access.must_wait("guesser", MAX_WRONG + WAIT_S), "after a while one may try again"


def test_a_thousand_guessers_take_no_memory() -> None:
    access = Access(TOKEN)
    for peer in range(5000):
        access.accepts_token("wrong", str(peer), 0.0)
    assert len(access._wrong) <= 1024


def test_the_cookie_admits_and_does_not_hold_the_token() -> None:
    access = Access(TOKEN)
    assert access.accepts_cookie(access.cookie)
    assert TOKEN not in access.cookie
    assert not access.accepts_cookie("")
    other = Access("another-token-of-some-length")
    assert not access.accepts_cookie(other.cookie)
    assert access.cookie_name != other.cookie_name, "of two bins on one host each keeps its own"
    assert not access.accepts_cookie("ü" * 64), "what is no ASCII is no error"


def test_a_token_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "state" / "web-token"
    token = keep_token(path)
    assert len(token) >= 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    assert keep_token(path) == token
    assert stat.S_IMODE(path.stat().st_mode) == 0o600, "a file that others could read is closed again"


def test_what_a_power_cut_left_of_a_token_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "web-token"
    path.touch(0o644)
    token = keep_token(path)
    assert len(token) >= 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert keep_token(path) == token


def test_a_folder_in_place_of_the_token_is_an_error_and_stays_open(tmp_path: Path) -> None:
    (tmp_path / "web-token").mkdir(0o755)
    with pytest.raises(StorageError, match="cannot be kept: Is a directory"):
        keep_token(tmp_path / "web-token")
    assert stat.S_IMODE((tmp_path / "web-token").stat().st_mode) == 0o755


def test_a_token_that_could_be_guessed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "web-token").write_text("1234\n")
    with pytest.raises(ConfigError, match="at least 16 characters, found 4"):
        keep_token(tmp_path / "web-token")


def test_a_place_that_is_no_folder_is_an_error_of_storage(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        keep_token(tmp_path / "file" / "web-token")


def test_what_only_this_machine_reaches() -> None:
    assert all(map(is_loopback, ["127.0.0.1", "127.0.0.2", "::1", "localhost"]))
    assert not any(map(is_loopback, ["0.0.0.0", "::", "192.168.1.7", "bin.local"]))  # noqa: S104
