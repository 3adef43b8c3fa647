"""A real broker and a real web server behind TLS: who is trusted, who is not, and whether the owner is told which."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edge.errors import UnavailableError
from edge.journal import Journal
from edge.publishers.connection import MqttSettings, greet, tls_context
from edge.publishers.webhook import WebhookPublisher, WebhookSettings
from tests.edge.authority import Authority
from tests.edge.publishers.broker import PATIENCE_S, Broker
from tests.edge.publishers.test_webhook import FirstPause, Server
from tests.edge.records import a_record

# paho leaves the socket of a handshake that failed to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:.*SSLSocket:pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "authority").begin()


@pytest.fixture
def broker(mosquitto: str, tmp_path: Path, authority: Authority) -> Iterator[Broker]:
    """A broker that shows a certificate, and wants one of whoever comes."""
    certificate, key = authority.sign("broker")
    options = f"cafile {authority.ca_file}\ncertfile {certificate}\nkeyfile {key}\nrequire_certificate true\nuser root"
    broker = Broker(mosquitto, tmp_path, f"allow_anonymous true\n{options}")
    broker.start()
    yield broker
    broker.close()


def settings(broker: Broker, authority: Authority, client: tuple[Path, Path] | None) -> MqttSettings:
    certificate, key = client or (None, None)
    return MqttSettings(
        "bin-7", host="127.0.0.1", port=broker.port, ca_file=authority.ca_file, certificate_file=certificate,
        key_file=key, use_tls=True,
    )  # fmt: skip


def test_whoever_shows_the_right_certificate_is_let_in(broker: Broker, authority: Authority) -> None:
    greet(settings(broker, authority, authority.sign("bin")))


def test_use_tls_alone_trusts_what_the_system_trusts_and_nobody_else() -> None:
    context = tls_context(MqttSettings("bin-7", use_tls=True))
    assert context is not None
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert tls_context(MqttSettings("bin-7")) is None


def test_a_broker_that_speaks_no_tls_hangs_up_and_use_tls_is_named(
    mosquitto: str, authority: Authority, tmp_path: Path
) -> None:
    plain = Broker(mosquitto, tmp_path)
    plain.start()
    with pytest.raises(UnavailableError, match="check port, use_tls, certificate_file and key_file"):
        greet(settings(plain, authority, None))
    plain.close()


def test_a_server_that_answers_otherwise_than_tls_does_is_named(authority: Authority) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE_S)

        def answer() -> None:
            with server.accept()[0] as connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        with ThreadPoolExecutor(1) as thread:
            thread.submit(answer)
            address = MqttSettings("bin-7", "127.0.0.1", server.getsockname()[1], ca_file=authority.ca_file)
            with pytest.raises(
                UnavailableError, match=r"TLS failed \(.*\); check ca_file, certificates, host and port"
            ):
                greet(address)


def test_a_broker_of_another_authority_is_not_trusted(broker: Broker, authority: Authority, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "stranger").begin()
    with pytest.raises(UnavailableError, match=r"is not trusted \(self-signed certificate in"):
        greet(settings(broker, stranger, authority.sign("bin")))


@pytest.mark.parametrize(
    ("address", "begins_days", "why"),
    [
        ("192.0.2.7", -1, "IP address mismatch"),
        ("127.0.0.1", -3, "certificate has expired"),
        ("127.0.0.1", 1, "certificate is not yet valid"),
    ],
)
def test_a_broker_whose_certificate_does_not_hold_here_is_not_trusted_and_it_is_said_why(
    mosquitto: str, authority: Authority, tmp_path: Path, address: str, begins_days: int, why: str
) -> None:
    certificate, key = authority.sign("elsewhere", address, begins_days)
    broker = Broker(mosquitto, tmp_path, f"allow_anonymous true\ncertfile {certificate}\nkeyfile {key}\nuser root")
    broker.start()
    with pytest.raises(UnavailableError, match=rf"is not trusted \({why}.*\); check .* the date here"):
        greet(settings(broker, authority, None))
    broker.close()


def test_a_broker_that_wants_a_certificate_turns_away_whoever_has_none(
    broker: Broker, authority: Authority, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path, "stranger").begin()
    for client in (None, stranger.sign("bin")):
        with pytest.raises(UnavailableError, match="hung up before it let the bin in"):
            greet(settings(broker, authority, client))


def test_a_broker_that_does_not_speak_tls_is_told_from_one_that_is_away(
    mosquitto: str, authority: Authority, tmp_path: Path
) -> None:
    plain = Broker(mosquitto, tmp_path)
    plain.start()
    with pytest.raises(UnavailableError, match="check"):
        greet(settings(plain, authority, None))
    plain.close()


@pytest.fixture
def server(authority: Authority) -> Iterator[Server]:
    """A web server that shows a certificate."""
    server = Server()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.sign("site"))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.url = server.url.replace("http:", "https:")
    yield server
    server.shutdown()
    server.server_close()


def test_a_webhook_trusts_the_authority_that_is_named(authority: Authority, server: Server, journal: Journal) -> None:
    publisher = WebhookPublisher(WebhookSettings(server.url, ca_file=authority.ca_file), journal.outbox("webhook"))
    publisher.start()
    journal.append(a_record(1))
    publisher.tell(a_record(1))
    assert publisher.flush(PATIENCE_S)
    publisher.stop()
    assert json.loads(server.requests.get_nowait()[2])["seq"] == 1


def test_a_webhook_trusts_no_other_and_says_so(server: Server, journal: Journal) -> None:
    pause = FirstPause()
    publisher = WebhookPublisher(WebhookSettings(server.url), journal.outbox("webhook"), pause)
    publisher.start()
    journal.append(a_record(1))
    publisher.tell(a_record(1))
    assert pause.has_begun.wait(PATIENCE_S)
    assert "certificate verify failed" in str(publisher.problem)
    publisher.stop()
    assert server.requests.empty()
