from __future__ import annotations

import base64
import contextlib
import json
import logging
import queue
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from edge.errors import ConfigError
from edge.journal import Journal
from edge.publishers.retry import RetrySettings
from edge.publishers.webhook import WebhookPublisher, WebhookSettings
from tests.edge.claimed_port import ClaimedPort
from tests.edge.publishers.broker import PATIENCE_S
from tests.edge.records import a_record, fill


class Server(ThreadingHTTPServer):
    """A real HTTP server that answers as it is told, and with 204 when it was told nothing."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Requests)
        self.answers: queue.Queue[int] = queue.Queue()
        self.requests: queue.Queue[tuple[str, dict[str, str], bytes]] = queue.Queue()
        self.url = f"http://127.0.0.1:{self.server_address[1]}/hook?key=secret"
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()


class _Requests(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.put((self.path, dict(self.headers), body))
        self.send_response(self.server.answers.get() if self.server.answers.qsize() else 204)
        self.send_header("Location", "http://127.0.0.1:1/elsewhere")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.shutdown()
    server.server_close()


class FirstPause:
    """Says that a publisher has failed and pauses, and keeps it there until it is stopped."""

    def __init__(self) -> None:
        self.has_begun = threading.Event()

    def __call__(self, stopping: threading.Event, _pause_s: float) -> bool:
        self.has_begun.set()
        return stopping.wait(PATIENCE_S)


class Pauses:
    """Records how long a publisher wanted to wait, and does not wait."""

    def __init__(self) -> None:
        self.asked_s: list[float] = []

    def __call__(self, stopping: threading.Event, pause_s: float) -> bool:
        self.asked_s.append(pause_s)
        return stopping.is_set()


def _decide(journal: Journal, publisher: WebhookPublisher, num_decisions: int) -> None:
    for _ in range(num_decisions):
        record = a_record(journal.next_seq)
        journal.append(record)
        publisher.tell(record)


def test_each_decision_is_posted_once_in_order_with_token_and_key(server: Server, journal: Journal) -> None:
    publisher = WebhookPublisher(WebhookSettings(server.url, token="let-me-in"), journal.outbox("webhook"))  # noqa: S106
    publisher.start()
    _decide(journal, publisher, 5)
    assert publisher.flush(PATIENCE_S)
    publisher.stop()

    posted = [server.requests.get_nowait() for _ in range(5)]
    assert [json.loads(body)["seq"] for _, _, body in posted] == [1, 2, 3, 4, 5]
    path, headers, body = posted[0]
    assert path == "/hook?key=secret"
    assert headers["Authorization"] == "Bearer let-me-in"
    assert headers["Idempotency-Key"] == json.loads(body)["id"]
    assert server.requests.empty()
    for alarm in [one for one in threading.enumerate() if isinstance(one, threading.Timer)]:
        alarm.join(5.0)  # a thread that was told to end takes a moment
        assert not alarm.is_alive(), "each would live for 30 s"


def test_a_user_and_a_password_in_the_address_are_shown_to_the_server(server: Server, journal: Journal) -> None:
    url = server.url.replace("127.0.0.1", "bin:s%40fe@127.0.0.1")
    publisher = WebhookPublisher(WebhookSettings(url), journal.outbox("webhook"))
    publisher.start()
    _decide(journal, publisher, 1)
    assert publisher.flush(PATIENCE_S)
    publisher.stop()

    _, headers, _ = server.requests.get_nowait()
    kind, _, pair = headers["Authorization"].partition(" ")
    assert (kind, base64.b64decode(pair)) == ("Basic", b"bin:s@fe")


@pytest.mark.parametrize(
    ("status", "advice"),
    [(301, "set webhook.url to where it leads"), (403, "check webhook.token"), (404, "check the path"), (500, "500")],
)
def test_what_only_the_owner_can_mend_is_told_with_what_to_do(
    server: Server, journal: Journal, status: int, advice: str
) -> None:
    server.answers.put(status)
    pause = FirstPause()
    publisher = WebhookPublisher(WebhookSettings(server.url), journal.outbox("webhook"), pause)
    publisher.start()
    _decide(journal, publisher, 1)
    assert pause.has_begun.wait(PATIENCE_S)
    problem = publisher.problem or ""
    publisher.stop()
    assert advice in problem
    assert "secret" not in problem


def test_what_the_server_refuses_is_posted_again_with_growing_pauses(server: Server, journal: Journal) -> None:
    for status in (500, 429, 301, 404):
        server.answers.put(status)
    pauses = Pauses()
    settings = WebhookSettings(server.url, retry=RetrySettings(min_s=1.0, max_s=4.0))
    publisher = WebhookPublisher(settings, journal.outbox("webhook"), pauses)
    publisher.start()
    _decide(journal, publisher, 2)
    assert publisher.flush(PATIENCE_S)
    publisher.stop()

    assert [json.loads(body)["seq"] for _, _, body in server.requests.queue] == [1, 1, 1, 1, 1, 2]
    bounds_s = [(0.5, 1.0), (1.0, 2.0), (2.0, 4.0), (2.0, 4.0)]
    assert all(low <= asked <= high for asked, (low, high) in zip(pauses.asked_s, bounds_s, strict=True))
    assert publisher.problem is None


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_decision_that_the_server_alone_refuses_holds_up_none_of_the_others(
    server: Server, journal: Journal, status: int
) -> None:
    for answer in (status, 200, status):
        server.answers.put(answer)
    publisher = WebhookPublisher(WebhookSettings(server.url), journal.outbox("webhook"))
    fill(journal, 3)
    publisher.start()
    assert publisher.flush(PATIENCE_S)
    publisher.stop()

    assert [json.loads(body)["seq"] for _, _, body in server.requests.queue] == [1, 2, 1, 3]
    assert publisher.problem is None


def test_the_only_decision_that_waits_is_kept_although_the_server_refuses_it(server: Server, journal: Journal) -> None:
    server.answers.put(422)
    pause = FirstPause()
    publisher = WebhookPublisher(WebhookSettings(server.url), journal.outbox("webhook"), pause)
    publisher.start()
    _decide(journal, publisher, 1)
    assert pause.has_begun.wait(PATIENCE_S)
    assert "expected an answer of 2xx, found 422" in (publisher.problem or "")
    publisher.stop()
    assert len(journal.outbox("webhook").pending(9)) == 1
    assert "courier-webhook" not in {thread.name for thread in threading.enumerate()}


def test_each_outage_is_warned_of_once_and_begins_with_a_short_pause(
    server: Server, journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for status in (500, 500, 500, 204, 500):
        server.answers.put(status)
    pauses = Pauses()
    publisher = WebhookPublisher(WebhookSettings(server.url), journal.outbox("webhook"), pauses)
    fill(journal, 2)
    publisher.start()
    assert publisher.flush(PATIENCE_S)
    publisher.stop()

    assert [round(asked, 6) <= bound for asked, bound in zip(pauses.asked_s, (1, 2, 4, 1), strict=True)] == 4 * [True]
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO", "WARNING", "INFO"]
    assert caplog.messages[1] == f"works again after: {caplog.messages[0]}"


def test_a_server_that_is_away_is_a_problem_without_the_secret_and_stop_is_quick(journal: Journal) -> None:
    pause = FirstPause()
    with ClaimedPort() as nobodys:
        place = f"127.0.0.1:{nobodys.number}"
        url = f"http://bin:secret@{place}/hooks/secret?key=secret"
        publisher = WebhookPublisher(WebhookSettings(url), journal.outbox("webhook"), pause)
        publisher.start()
        _decide(journal, publisher, 1)
        assert pause.has_begun.wait(PATIENCE_S)

    assert publisher.problem is not None
    assert f"webhook http://{place}: cannot be reached" in publisher.problem
    assert "secret" not in publisher.problem
    publisher.stop()
    assert len(journal.outbox("webhook").pending(10)) == 1


def test_a_server_that_never_answers_is_given_up_after_the_timeout(journal: Journal) -> None:
    pause = FirstPause()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = WebhookSettings(f"http://127.0.0.1:{silent.getsockname()[1]}/", timeout_s=0.05)
        publisher = WebhookPublisher(settings, journal.outbox("webhook"), pause)
        publisher.start()
        _decide(journal, publisher, 1)
        assert pause.has_begun.wait(PATIENCE_S)
        assert publisher.problem is not None
        assert "no answer within 0.05 s; see whether it is well, or raise webhook.timeout_s" in publisher.problem
        publisher.stop()


def test_a_server_that_drips_its_answer_is_given_up_as_well(journal: Journal) -> None:
    pause = FirstPause()

    def drip() -> None:
        connection, _ = dripping.accept()
        with connection, contextlib.suppress(OSError):
            while not pause.has_begun.wait(0.01):  # long before any timeout
                connection.sendall(b"H")

    with socket.create_server(("127.0.0.1", 0)) as dripping:
        server = threading.Thread(target=drip)
        server.start()
        settings = WebhookSettings(f"http://127.0.0.1:{dripping.getsockname()[1]}/", timeout_s=0.1)
        publisher = WebhookPublisher(settings, journal.outbox("webhook"), pause)
        publisher.start()
        _decide(journal, publisher, 1)
        assert pause.has_begun.wait(PATIENCE_S)
        publisher.stop()
        server.join(PATIENCE_S)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host/",
        "host/path",
        "http://",
        "file:///etc/passwd",
        "http://a..b/",
        "http://h/a b",
        "http://h/\u00fc",
        "http://h/\n",
    ],
)
def test_an_address_that_is_not_http_is_a_mistake_in_the_config(url: str, journal: Journal) -> None:
    with pytest.raises(ConfigError, match="expected http"):
        WebhookPublisher(WebhookSettings(url), journal.outbox("webhook"))


def test_a_token_that_http_cannot_carry_is_a_mistake_in_the_config(journal: Journal) -> None:
    for token in ("two words", "gr\u00fcn", "line\nbreak"):
        with pytest.raises(ConfigError, match="expected a token"):
            WebhookPublisher(WebhookSettings("http://host/", token), journal.outbox("webhook"))
