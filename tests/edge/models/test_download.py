"""A model from the web whose connection breaks, again and again, at any byte."""

from __future__ import annotations

import random
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.bundle import DEFAULT_BUNDLE, load_bundle
from edge.errors import BundleError, StorageError, UnavailableError
from edge.models.download import Download
from edge.models.fetch import MAX_BYTES, fetched, pack
from edge.models.store import ModelStore, Role
from tests.edge.authority import Authority
from tests.edge.web_server import Site, serving

CHANCE = random.Random(11)  # noqa: S311
CONTENT = CHANCE.randbytes(3_000_000)


@pytest.fixture
def site() -> Iterator[Site]:
    with serving(CONTENT) as site:
        yield site


def fetch(site: Site, folder: Path) -> bytes:
    """The file as one command brings it."""
    with Download(site.address, folder, MAX_BYTES) as download:
        return download.fetch().read_bytes()


def test_a_whole_file_leaves_nothing_behind(site: Site, tmp_path: Path) -> None:
    assert fetch(site, tmp_path) == CONTENT
    assert list(tmp_path.iterdir()) == []


def test_broken_at_many_bytes_it_goes_on_from_each(site: Site, tmp_path: Path) -> None:
    site.breaks_after = [CHANCE.randrange(1, 300_000) for _ in range(8)]
    assert fetch(site, tmp_path) == CONTENT
    assert site.requested[0] is None
    assert all(asked is not None for asked in site.requested[1:])
    assert site.num_sent == len(CONTENT)


def test_the_next_command_goes_on_where_the_last_one_gave_up(site: Site, tmp_path: Path) -> None:
    site.breaks_after = [1_000_000, 0]
    with pytest.raises(UnavailableError, match="broke off after 1000000 of 3000000 bytes"):
        fetch(site, tmp_path)
    assert fetch(site, tmp_path) == CONTENT
    assert site.requested == [None, "bytes=1000000-", "bytes=1000000-"]


def test_a_line_that_garbles_is_one_that_broke_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It fails otherwise than by hanging up, as a network does that is gone: the disk has nothing to do with it."""
    authority = Authority(tmp_path, "authority").begin()
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca_file))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*authority.sign("server"))
    with serving(CONTENT, tls) as site:
        site.breaks_after = [1_000_000, 0]
        with pytest.raises(UnavailableError, match="broke off after 983040 of 3000000 bytes"):  # whole pieces
            fetch(site, tmp_path / "downloads")
        assert fetch(site, tmp_path / "downloads") == CONTENT
    assert site.requested == [None, "bytes=983040-", "bytes=983040-"]


def test_nothing_at_all_is_told_and_not_tried_for_ever(site: Site, tmp_path: Path) -> None:
    site.breaks_after = [0] * 3
    with pytest.raises(UnavailableError, match="the models are as they were"):
        fetch(site, tmp_path)
    assert len(site.requested) == 1


def test_neither_the_log_nor_an_error_tells_what_is_secret_in_the_address(
    site: Site, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    site.breaks_after = [1_000_000, 0]
    with (
        Download(f"{site.address}?token=hush", tmp_path, MAX_BYTES) as download,
        pytest.raises(UnavailableError) as broken,
    ):
        download.fetch()
    assert site.address in caplog.text
    assert site.address in str(broken.value)
    assert "hush" not in caplog.text + str(broken.value)


def test_a_file_that_changed_in_between_comes_whole(site: Site, tmp_path: Path) -> None:
    site.breaks_after = [2_000_000, 0]
    with pytest.raises(UnavailableError):
        fetch(site, tmp_path)
    site.content, site.etag = CONTENT[::-1], '"second"'
    assert fetch(site, tmp_path) == CONTENT[::-1]


def test_a_file_that_is_shorter_by_now_comes_whole(site: Site, tmp_path: Path) -> None:
    """The tag is the same, which a server must not do: it answers 416."""
    site.breaks_after = [2_000_000, 0]
    with pytest.raises(UnavailableError):
        fetch(site, tmp_path)
    site.content = CONTENT[:1_500_000]
    assert fetch(site, tmp_path) == CONTENT[:1_500_000]


def test_a_server_without_ranges_sends_it_again(site: Site, tmp_path: Path) -> None:
    site.knows_ranges = False
    site.breaks_after = [1_000_000]
    assert fetch(site, tmp_path) == CONTENT


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_without_a_name_for_its_version_nothing_is_put_together(site: Site, tmp_path: Path, etag: str | None) -> None:
    site.etag = etag
    site.breaks_after = [1_000_000]
    with pytest.raises(UnavailableError):
        fetch(site, tmp_path)
    assert fetch(site, tmp_path) == CONTENT
    assert site.requested == [None, None]


def test_only_what_was_made_safe_is_gone_on_with(site: Site, tmp_path: Path) -> None:
    """After a power cut the file may be longer than its note, and what lies behind may be anything."""
    site.breaks_after = [1_000_000, 0]
    with pytest.raises(UnavailableError):
        fetch(site, tmp_path)
    (part,) = tmp_path.glob("*.part")
    with part.open("ab") as file:
        file.write(bytes(500_000))
    assert fetch(site, tmp_path) == CONTENT


@pytest.mark.parametrize("note", [b"", b"{}", b'{"validator": "x", "num_safe": 4000000}', b"\x00" * 40])
def test_a_note_that_cannot_be_true_is_none(site: Site, tmp_path: Path, note: bytes) -> None:
    site.breaks_after = [1_000_000, 0]
    with pytest.raises(UnavailableError):
        fetch(site, tmp_path)
    next(tmp_path.glob("*.json")).write_bytes(note)
    assert fetch(site, tmp_path) == CONTENT
    assert site.requested[-1] is None


def test_what_cannot_be_used_is_not_gone_on_with(site: Site, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"not a whole \.zip"), fetched(site.address, tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_model_is_named_without_what_is_secret_in_its_address(site: Site, tmp_path: Path) -> None:
    address = f"{site.address}?token=hush"
    for sha256 in (None, "0" * 64):
        with pytest.raises(BundleError, match=f"^{site.address}(:| is)"), fetched(address, tmp_path, sha256):
            pass


def test_a_file_that_is_too_long_is_refused_and_removed(site: Site, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="has more than 1 MB"), Download(site.address, tmp_path, 10**6) as download:
        download.fetch()
    assert list(tmp_path.iterdir()) == []


def test_what_waits_for_another_address_goes(site: Site, tmp_path: Path) -> None:
    (tmp_path / "0123.part").write_bytes(b"old")
    fetch(site, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_no_room_is_an_error_of_storage(site: Site, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_bytes(b"")
    with pytest.raises(StorageError):
        fetch(site, blocked)


INSTALL = """
import sys
from pathlib import Path
from edge.models.fetch import fetched
from edge.models.store import ModelStore
store = ModelStore(Path(sys.argv[1]))
with fetched(sys.argv[2], store.downloads) as folder:
    store.activate(store.install(folder).short_name)
"""


def test_killed_while_it_loads_the_old_model_goes_on_and_the_next_attempt_ends_it(tmp_path: Path) -> None:
    archive = tmp_path / "model.zip"
    pack(load_bundle(DEFAULT_BUNDLE), archive)
    store = ModelStore(tmp_path / "models")
    old = store.install(DEFAULT_BUNDLE).short_name
    store.activate(old)
    with serving(archive.read_bytes()) as site:
        for _ in range(3):
            with subprocess.Popen([sys.executable, "-c", INSTALL, store.folder, site.address]) as process:
                try:
                    process.wait(timeout=CHANCE.uniform(0.05, 0.6))
                except subprocess.TimeoutExpired:
                    process.kill()
            active = store.path_of(Role.ACTIVE)
            assert active is not None
            load_bundle(active)
        subprocess.run([sys.executable, "-c", INSTALL, store.folder, site.address], check=True)
    assert store.names() == (old,)
    assert list(store.downloads.iterdir()) == []
