"""A hostile visitor neither stops the loop nor reads what it should not."""

from __future__ import annotations

import contextlib
import resource
import socket
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from edge.web.access import MAX_WRONG
from edge.web.connections import MAX_CONNECTIONS
from edge.web.settings import PageSettings
from edge.web.uploads import MAX_UPLOAD_BYTES
from tests.edge.web.standing import TOKEN, StandingBin, Visitor, a_sight

NUM_IDLE = 200
PATIENCE_S = 30.0


def shout(port: int, words: bytes) -> bytes:
    """What the server answers to these very bytes, until it closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as connection:
        connection.sendall(words)
        return hear(connection)


def hear(connection: socket.socket) -> bytes:
    """Everything until the server closes, or cuts the connection."""
    heard = b""
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(65536):
            heard += part
    return heard


def get(path: str, *headers: str) -> bytes:
    lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1")


@pytest.fixture(scope="module")
def open_page() -> Iterator[Visitor]:
    """A page that admits everyone, for tests that leave it as it is."""
    with closing(StandingBin()) as standing, standing.served() as someone:
        standing.decide()
        yield someone


@pytest.fixture(scope="module")
def locked_page() -> Iterator[Visitor]:
    """A page that wants a token, for tests that leave it as it is."""
    with closing(StandingBin()) as standing, standing.served(PageSettings(port=0, token=TOKEN)) as someone:
        standing.decide()
        yield someone


TRICKS = (
    "/page/../../../../etc/passwd",
    "/page/..%2f..%2f..%2f..%2fetc%2fpasswd",
    "/page/%2e%2e/%2e%2e/edge/web/app.py",
    "/page/..\\..\\app.py",
    "/page//etc/passwd",
    "/page/app.js%00.png",
    "/page/.",
    "/page/",
    "/page/../app.py",
    "/page/__init__.py",
    "//etc/passwd",
    "/../../etc/passwd",
    "/api/pictures/..%2f..%2f..%2fetc%2fpasswd",
    "/api/pictures/%2e%2e.jpg",
    "/api/pictures/%00.jpg",
    "/api/pictures/" + "A" * 5000 + ".jpg",
    "file:///etc/passwd",
    "http://evil.example/etc/passwd",
)


@pytest.mark.parametrize("path", TRICKS)
def test_no_path_leads_to_a_file(open_page: Visitor, path: str) -> None:
    answer = shout(open_page.port, get(path))
    assert answer.split(b" ")[1] in (b"400", b"404"), answer[:200]
    assert b"root:" not in answer
    assert b"import " not in answer


@pytest.mark.parametrize(
    "path", ["/page/../api/now", "/page/..%2fapi/now", "//api/now", "/api/session/../now", "/page/%2e%2e/api/now"]
)
def test_no_path_leads_around_the_door(locked_page: Visitor, path: str) -> None:
    answer = shout(locked_page.port, get(path))
    assert answer.split(b" ")[1] in (b"401", b"404"), answer[:200]
    assert b"decisions" not in answer


@pytest.mark.parametrize("path", ["/api/try", "/api/review/label", "/api/session", "/api/teach", "/api/now", "/"])
def test_a_body_that_says_it_is_huge_is_not_read(open_page: Visitor, path: str) -> None:
    answer = shout(
        open_page.port, f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9999999999\r\n\r\n".encode()
    )
    assert answer.split(b" ")[1] in (b"413", b"405", b"404"), answer[:100]


def test_a_body_that_does_not_say_how_huge_it_is_is_cut_off(open_page: Visitor) -> None:
    chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    with socket.create_connection(("127.0.0.1", open_page.port), timeout=PATIENCE_S) as connection:
        connection.sendall(b"POST /api/try HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        num_sent = 0
        with contextlib.suppress(ConnectionError):
            for num_sent in range(200):  # noqa: B007 - how far it came is what counts
                connection.sendall(chunk)
        hear(connection)
    # What both kernels hold of it besides is some megabytes.
    assert num_sent * len(chunk) < MAX_UPLOAD_BYTES + 32 * 1024 * 1024
    assert open_page.ask("/api/about").status == 200


def test_a_picture_that_unfolds_to_gigabytes_costs_no_memory(open_page: Visitor) -> None:
    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    body = b"IHDR" + header
    bomb = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", len(header)) + body + struct.pack(">I", zlib.crc32(body))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert b"megapixels" in open_page.ask("/api/try", bomb).body
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024, "KiB; it would be 7 GB"


@pytest.mark.parametrize(
    "words",
    [
        b"\0" * 1000, b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00" + b"\x01" * 200, b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: " + b"y" * 200_000, b"GET /" + b"a" * 200_000,
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /api/now HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)  # fmt: skip
def test_what_is_no_request_is_refused_and_the_page_goes_on(locked_page: Visitor, words: bytes) -> None:
    assert b"200 OK" not in shout(locked_page.port, words)
    assert locked_page.ask("/").status == 200


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b'{"ids": 1, "label": "glass"}', b'{"ids": [], "label": "glass"}',
        b'{"ids": ["../x"], "label": "glass"}', b'{"ids": ["a"], "label": {"$ne": 1}}', b"[" * 10_000, b"\xff\xfe",
        b'{"ids": ["a"], "label": "glass", "more": 1}',
    ],
)  # fmt: skip
def test_json_that_does_not_fit_is_a_bad_request(open_page: Visitor, body: bytes) -> None:
    assert open_page.ask("/api/review/label", body, Content_Type="application/json").status == 400


def test_tokens_cannot_be_guessed_for_long_and_the_owner_stays_in(standing: StandingBin) -> None:
    with standing.served(PageSettings(port=0, token=TOKEN)) as locked:
        _guess(locked)


def _guess(locked: Visitor) -> None:
    cookie = locked.send("/api/session", {"token": TOKEN}).headers["set-cookie"].partition(";")[0]
    statuses = [locked.send("/api/session", {"token": f"guess-number-{guess}"}).status for guess in range(20)]
    assert statuses == [401] * MAX_WRONG + [429] * (20 - MAX_WRONG)
    assert locked.ask("/metrics", Authorization="Bearer another-guess").status == 429
    assert locked.ask("/api/now", Cookie=cookie).status == 200


@pytest.mark.parametrize(
    "shown",
    ["", "Bearer", "Bearer ", "Bearer \xff\xfe", "Basic " + TOKEN, "Bearer " + "x" * 5000, "bearer " + TOKEN[:-1]],
)
def test_what_is_nearly_a_token_is_none(locked_page: Visitor, shown: str) -> None:
    answer = shout(locked_page.port, get("/metrics", f"Authorization: {shown}"))
    assert answer.split(b" ")[1] in (b"401", b"429")
    assert b"sorter_" not in answer


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil.example"]
)
def test_a_name_that_was_bent_to_this_address_is_turned_away(open_page: Visitor, host: str) -> None:
    assert open_page.ask("/api/about", Host=host).status == 421


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:1"},
        {"Sec_Fetch_Site": "cross-site"}, {"Sec_Fetch_Site": "same-site"},
    ],
)  # fmt: skip
def test_another_site_cannot_ask_in_a_visitors_name(
    standing: StandingBin, visitor: Visitor, headers: dict[str, str]
) -> None:
    record = standing.decide()
    body = f'{{"ids": ["{record.id}"], "label": "glass"}}'.encode()
    assert visitor.ask("/api/review/label", body, Content_Type="text/plain", **headers).status == 403
    assert visitor.ask("/api/now", **headers).status == 403
    assert standing.journal.decisions()[0].corrected is None


def test_the_page_itself_asks_with_its_own_origin(standing: StandingBin, visitor: Visitor) -> None:
    record = standing.decide()
    body = f'{{"ids": ["{record.id}"], "label": "glass"}}'.encode()
    origin = f"http://127.0.0.1:{visitor.port}"
    assert visitor.ask("/api/review/label", body, Origin=origin, Sec_Fetch_Site="same-origin").status == 204


def test_two_hundred_idle_connections_lock_nobody_out_and_hold_few_sockets(visitor: Visitor) -> None:
    with contextlib.ExitStack() as stack:
        idle = [
            stack.enter_context(socket.create_connection(("127.0.0.1", visitor.port), timeout=PATIENCE_S))
            for _ in range(NUM_IDLE)
        ]
        assert visitor.ask("/").status == 200
        for connection in idle:
            connection.settimeout(0)
        num_open = sum(map(_is_open, idle))
        assert num_open <= MAX_CONNECTIONS


@pytest.fixture
def stranger(visitor: Visitor) -> Iterator[Callable[[bytes], socket.socket]]:
    """Connects from an address of its own, where nothing is read, and says these bytes."""
    with contextlib.ExitStack() as stack:

        def call(words: bytes) -> socket.socket:
            connection = stack.enter_context(socket.socket())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.bind(("127.0.0.2", 0))
            connection.connect(("127.0.0.1", visitor.port))
            connection.settimeout(0)
            with contextlib.suppress(BlockingIOError):
                connection.sendall(words)
            return connection

        yield call


UNFINISHED = b"POST /api/session HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9999\r\n\r\n{"
UNREAD = b"GET /page/app.js HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 2000


@pytest.mark.parametrize("words", [UNFINISHED, UNREAD], ids=["unfinished", "unread"])
def test_a_crowd_that_never_ends_its_requests_locks_nobody_out(
    visitor: Visitor, stranger: Callable[[bytes], socket.socket], words: bytes
) -> None:
    with socket.create_connection(("127.0.0.1", visitor.port), timeout=PATIENCE_S) as first:
        crowd = [stranger(words) for _ in range(2 * MAX_CONNECTIONS)]
        assert visitor.ask("/").status == 200
        first.sendall(get("/api/about"))
        assert b"200 OK" in hear(first), "who holds one keeps it, although the others came later"
    assert sum(map(_is_open, crowd)) <= MAX_CONNECTIONS


@pytest.mark.parametrize("words", [UNFINISHED, UNREAD], ids=["unfinished", "unread"])
def test_whoever_takes_too_long_over_a_request_is_hung_up_on_without_a_word(
    standing: StandingBin, words: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with standing.served(PageSettings(port=0, patience_s=60, answer_s=0.2)) as someone, socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect(("127.0.0.1", someone.port))
        slow.settimeout(0)
        held = _num_open_files(someone)
        with contextlib.suppress(BlockingIOError):
            slow.sendall(words)
        give_up_s = time.monotonic() + PATIENCE_S
        while _num_open_files(someone) >= held:
            assert time.monotonic() < give_up_s
    assert caplog.messages == []


def _num_open_files(visitor: Visitor) -> int:
    while True:
        with contextlib.suppress(ConnectionError):  # on a busy computer the visitor is at times too slow, too
            body = visitor.ask("/metrics").body
            break
    (line,) = (line for line in body.splitlines() if line.startswith(b"process_open_fds "))
    return int(line.split()[1])


def _is_open(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) != b""
    except BlockingIOError:
        return True
    except ConnectionError:
        return False


@pytest.mark.parametrize(
    "beginning", [b"", b"GET / HT", b"POST /api/try HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99\r\n\r\nx"]
)
def test_whoever_begins_and_does_not_go_on_is_hung_up_on(standing: StandingBin, beginning: bytes) -> None:
    with (
        standing.served(PageSettings(port=0, patience_s=0.05)) as someone,
        socket.create_connection(("127.0.0.1", someone.port), timeout=PATIENCE_S) as slow,
    ):
        slow.sendall(beginning)
        hear(slow)  # returns, since the server hangs up
        assert someone.ask("/api/about").status == 200


def test_the_loop_sees_every_frame_while_a_crowd_attacks(standing: StandingBin) -> None:
    num_frames = 300
    with standing.served(PageSettings(port=0, token=TOKEN)) as someone:
        is_over = threading.Event()

        def attack(words: bytes) -> None:
            while not is_over.is_set():
                with contextlib.suppress(OSError):
                    shout(someone.port, words)

        attacks = (
            get("/api/live.jpg"),
            get("/../etc/passwd"),
            b"\0" * 4096,
            get("/metrics", "Authorization: Bearer x"),
        )
        crowd = [threading.Thread(target=attack, args=(words,), daemon=True) for words in attacks]
        for thread in crowd:
            thread.start()
        for sequence in range(num_frames):
            standing.see(a_sight(sequence))
        record = standing.decide()
        is_over.set()
        for thread in crowd:
            thread.join(PATIENCE_S)
        assert someone.ask("/").status == 200
    assert standing.telemetry.num_frames == num_frames + 1
    assert [entry.id for entry in standing.journal.decisions()] == [record.id]


def test_no_secret_is_in_what_describes_the_settings(tmp_path: Path) -> None:
    assert TOKEN not in repr(PageSettings(token=TOKEN))
