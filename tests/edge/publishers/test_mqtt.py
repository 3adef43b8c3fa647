from __future__ import annotations

import json
import logging
import queue
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from logging.handlers import QueueHandler
from pathlib import Path

import pytest
from paho.mqtt.client import MQTTMessage

from edge.errors import ConfigError, MissingInputError, UnavailableError
from edge.journal import Journal
from edge.publishers.connection import MqttSettings, Steadiness, greet
from edge.publishers.mqtt import Announcement, MqttPublisher
from edge.publishers.state import count_topic
from edge.records import DecisionRecord
from tests.edge.claimed_port import ClaimedPort
from tests.edge.publishers.broker import PATIENCE_S, Broker, Gate, Listener
from tests.edge.records import a_record


@pytest.fixture
def gate(broker: Broker) -> Iterator[Gate]:
    gate = Gate(broker.port)
    yield gate
    gate.close()


def _publisher(journal: Journal, port: int, **settings: str) -> MqttPublisher:
    return MqttPublisher(
        MqttSettings("bin-7", host="127.0.0.1", port=port, retry_min_s=0.05, retry_max_s=0.1, **settings),
        journal.outbox("mqtt"),
    )


@contextmanager
def telling(publisher: MqttPublisher) -> Iterator[MqttPublisher]:
    """It is started, and stopped at the end of the block."""
    publisher.start()
    try:
        yield publisher
    finally:
        publisher.stop()


def _decide(journal: Journal, publisher: MqttPublisher, num_decisions: int) -> list[DecisionRecord]:
    records = []
    for _ in range(num_decisions):
        record = a_record(journal.next_seq)
        journal.append(record)
        publisher.tell(record)
        records.append(record)
    return records


def _seq(message: MQTTMessage) -> int:
    return int(json.loads(message.payload)["seq"])


def _arrived(listener: Listener, num_decisions: int) -> list[int]:
    """The seq of the decisions that arrive, repeats of the one before folded, until there are enough."""
    found: list[int] = []
    while len(found) < num_decisions:
        seq = _seq(listener.next("/decision"))
        if not found or found[-1] != seq:
            found.append(seq)
    return found


def test_a_decision_arrives_as_its_record_and_is_crossed_off(broker: Broker, journal: Journal) -> None:
    broker.start()
    publisher = _publisher(journal, broker.port)
    with Listener(broker.port, "sorter/bin-7/#", qos=1) as listener, telling(publisher):
        (record,) = _decide(journal, publisher, 1)
        message = listener.next("/decision")
    assert message.payload.decode() == record.to_json()
    assert (message.qos, message.retain) == (1, False)
    assert journal.outbox("mqtt").pending(1) == []


def test_the_count_of_a_bin_with_signs_that_no_topic_may_hold_arrives(broker: Broker, journal: Journal) -> None:
    broker.start()
    publisher = _publisher(journal, broker.port)
    with Listener(broker.port, "sorter/bin-7/bin/+/count") as listener, telling(publisher):
        publisher.retain(count_topic("glass #1/+"), "1")
        message = listener.next()
        assert (message.topic, message.payload) == ("sorter/bin-7/bin/glass %231%2F%2B/count", b"1")


def test_what_a_topic_says_already_is_not_said_again(broker: Broker, journal: Journal) -> None:
    broker.start()
    with Listener(broker.port, "sorter/bin-7/#") as listener, telling(_publisher(journal, broker.port)) as publisher:
        listener.next("/availability")
        for said in ("empty", "empty", "moving"):
            publisher.retain("state", said)
        assert [listener.next("/state").payload for _ in range(2)] == [b"empty", b"moving"]


def test_what_was_acknowledged_before_is_no_receipt_of_a_decision(broker: Broker, journal: Journal) -> None:
    """Ids of messages come round after 65,535 of them."""
    broker.start()
    listener = Listener(broker.port, "sorter/bin-7/#")
    publisher = _publisher(journal, broker.port)
    publisher.start()
    listener.next("/availability")
    for number in range(1000):
        publisher.retain("state", str(number))
    while listener.next("/state").payload != b"999":
        pass
    assert publisher._receipts is None, "it would grow as long as nothing is decided"
    broker.hang()
    _decide(journal, publisher, 1)

    assert not publisher.flush(1.0)
    publisher.stop(0.1)


def test_a_broker_that_hangs_is_left_behind_in_time(broker: Broker, journal: Journal) -> None:
    broker.start()
    listener = Listener(broker.port, "sorter/bin-7/#")
    publisher = _publisher(journal, broker.port)
    publisher.start()
    listener.next("/availability")
    broker.hang()
    _decide(journal, publisher, 1)

    began_s = time.monotonic()
    publisher.stop(3.0)
    assert time.monotonic() - began_s < 5.0, "each of its four waits was 3 s once"


def test_decisions_made_without_a_broker_arrive_in_order_when_it_comes(
    broker: Broker, gate: Gate, journal: Journal
) -> None:
    with telling(_publisher(journal, gate.port)) as publisher:
        _decide(journal, publisher, 30)

        broker.start()
        with Listener(broker.port, "sorter/bin-7/decision") as listener:
            gate.open()
            assert _arrived(listener, 30) == list(range(1, 31))


def test_every_decision_arrives_in_order_though_the_broker_is_killed_again_and_again(
    broker: Broker, gate: Gate, journal: Journal
) -> None:
    publisher = _publisher(journal, gate.port)
    publisher.start()
    arrived: list[int] = []
    for _ in range(3):
        broker.start()
        # The listener first: it would not be told what a broker said before it came.
        listener = Listener(broker.port, "sorter/bin-7/decision")
        gate.open()
        _decide(journal, publisher, 40)
        arrived += _arrived(listener, 10)
        gate.shut()
        broker.kill()
        arrived += [_seq(message) for message in listener.left_over()]
    broker.start()
    listener = Listener(broker.port, "sorter/bin-7/decision")
    gate.open()
    while not arrived or arrived[-1] != 120:
        arrived += _arrived(listener, 1)

    assert _without_repeats(arrived) == list(range(1, 121))
    publisher.stop()


def _without_repeats(seqs: list[int]) -> list[int]:
    """Folds the repeat of a decision whose receipt was lost; anything else out of order stays to be seen."""
    return [seq for before, seq in zip([0, *seqs], seqs, strict=False) if seq != before]


def test_what_a_stopped_process_left_is_told_by_the_next(broker: Broker, gate: Gate, journal: Journal) -> None:
    broker.start()
    with telling(_publisher(journal, gate.port)) as first:
        _decide(journal, first, 3)
    with Listener(broker.port, "sorter/bin-7/decision") as listener:
        gate.open()
        with telling(_publisher(journal, gate.port)) as second:
            _decide(journal, second, 2)
            assert _arrived(listener, 5) == [1, 2, 3, 4, 5]


def test_availability_speaks_of_arrival_farewell_and_sudden_death(broker: Broker, gate: Gate, journal: Journal) -> None:
    broker.start()
    gate.open()
    with Listener(broker.port, "sorter/bin-7/availability") as listener:
        with telling(_publisher(journal, gate.port)):
            assert listener.next().payload == b"online"
            gate.cut()
            assert listener.next().payload == b"offline"
            gate.open()
            assert listener.next().payload == b"online"
        assert listener.next().payload == b"offline"
    with Listener(broker.port, "sorter/bin-7/availability") as late:
        message = late.next()
    assert (message.payload, message.retain) == (b"offline", True)


def test_a_broker_that_forgot_everything_is_told_the_retained_topics_again(
    broker: Broker, gate: Gate, journal: Journal
) -> None:
    broker.start()
    gate.open()
    publisher = _publisher(journal, gate.port)
    listener = Listener(broker.port, "sorter/bin-7/#")
    publisher.start()
    publisher.retain("state", "paused")
    records = _decide(journal, publisher, 2)
    publisher.retain("state", "sorting")
    assert _arrived(listener, 2) == [1, 2]
    assert publisher.flush(PATIENCE_S), "a decision whose receipt is cut off comes once more"
    gate.shut()
    broker.kill()
    listener.close()

    broker.start()
    witness = Listener(broker.port, "sorter/bin-7/availability")
    gate.open()
    assert witness.next().payload == b"online"
    # QoS 1 arrives behind what was said on connecting, on the same connection.
    decided = Listener(broker.port, "sorter/bin-7/decision", "decided")
    _decide(journal, publisher, 1)
    assert _arrived(decided, 1) == [3]
    newcomer = Listener(broker.port, "sorter/bin-7/#", "newcomer")
    told = {message.topic: message.payload.decode() for message in (newcomer.next() for _ in range(3))}

    assert told["sorter/bin-7/state"] == "sorting"
    assert json.loads(told["sorter/bin-7/last"])["seq"] == records[-1].seq + 1
    assert told["sorter/bin-7/availability"] == "online"
    publisher.stop()


def test_commands_are_heard_but_not_retained_ones_nor_huge_ones(broker: Broker, journal: Journal) -> None:
    broker.start()
    listener = Listener(broker.port, "sorter/bin-7/availability")
    listener.say("sorter/bin-7/cmd/restart", b"left by somebody long ago", retain=True)
    heard: queue.Queue[tuple[str, bytes]] = queue.Queue()
    publisher = MqttPublisher(
        MqttSettings("bin-7", host="127.0.0.1", port=broker.port),
        journal.outbox("mqtt"),
        on_command=lambda topic, payload: heard.put((topic, payload)),
    )
    with telling(publisher):
        assert listener.next().payload == b"online"

        listener.say("sorter/bin-7/unknown_threshold/set", b"x" * 1024 * 1024)
        listener.say("sorter/bin-8/cmd/restart", b"another bin's")
        listener.say("sorter/bin-7/unknown_threshold/set", b"0.7")

        assert heard.get(timeout=PATIENCE_S) == ("unknown_threshold/set", b"0.7")
        assert heard.empty()
        assert publisher.problem is None
    listener.close()


def test_an_announcement_is_made_on_connecting_and_again_when_it_is_asked_for(
    broker: Broker, gate: Gate, journal: Journal
) -> None:
    broker.start()
    gate.open()
    announcement = Announcement("homeassistant/device/sorter_bin-7/config", "{}", "homeassistant/status", "online")
    settings = MqttSettings("bin-7", host="127.0.0.1", port=gate.port, retry_min_s=0.05)
    publisher = MqttPublisher(settings, journal.outbox("mqtt"), announcement=announcement)
    with Listener(broker.port, "#") as listener, telling(publisher):
        assert listener.next("/config").payload == b"{}"
        assert listener.next("/availability").payload == b"online"

        listener.say("homeassistant/status", b"offline")
        listener.say("homeassistant/status", b"online")
        assert listener.next("/config").payload == b"{}"
        assert listener.next("/availability").payload == b"online"

        gate.cut()
        assert listener.next("/availability").payload == b"offline"
        gate.open()
        assert listener.next("/config").payload == b"{}"


def test_a_broker_of_the_old_protocol_is_served_as_well(broker: Broker, journal: Journal) -> None:
    broker.start()
    settings = MqttSettings("bin-7", host="127.0.0.1", port=broker.port, speaks_5=False)
    publisher = MqttPublisher(settings, journal.outbox("mqtt"))
    with Listener(broker.port, "sorter/bin-7/decision") as listener, telling(publisher):
        _decide(journal, publisher, 3)

        assert _arrived(listener, 3) == [1, 2, 3]


@pytest.mark.parametrize(("speaks_5", "level"), [(True, 5), (False, 4)])
def test_a_bin_gives_its_own_name_and_speaks_the_protocol_that_it_is_told(
    journal: Journal, *, speaks_5: bool, level: int
) -> None:
    """Brokers throw out the older of two clients of one name. MQTT 5.0, section 3.1: CONNECT."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        settings = MqttSettings("bin-7", "127.0.0.1", server.getsockname()[1], speaks_5=speaks_5)
        with telling(MqttPublisher(settings, journal.outbox("mqtt"))), server.accept()[0] as connection:
            heard = connection.recv(4096)
    assert heard[heard.index(b"MQTT") + 4] == level
    assert b"\x0csorter-bin-7" in heard


def test_stop_is_quick_when_there_never_was_a_broker(journal: Journal) -> None:
    with ClaimedPort() as nobodys:
        publisher = _publisher(journal, nobodys.number)
        publisher.start()
        _decide(journal, publisher, 1)

        publisher.stop(timeout_s=PATIENCE_S)

    assert publisher.problem is not None
    assert len(journal.outbox("mqtt").pending(10)) == 1


@pytest.fixture
def locked_broker(mosquitto: str, tmp_path: Path) -> Iterator[Broker]:
    """A broker that lets in the user `bin` with the password `right`, and nobody else."""
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(passwords), "bin", "right"], check=True)
    broker = Broker(mosquitto, tmp_path, f"allow_anonymous false\npassword_file {passwords}\nuser root")
    yield broker
    broker.close()


@pytest.fixture
def warnings() -> Iterator[queue.Queue[logging.LogRecord]]:
    """What publishers warn of, as it comes."""
    log: queue.Queue[logging.LogRecord] = queue.Queue()
    (handler := QueueHandler(log)).setLevel(logging.WARNING)
    logging.getLogger("edge.publishers.mqtt").addHandler(handler)
    yield log
    logging.getLogger("edge.publishers.mqtt").removeHandler(handler)


def test_a_server_that_hears_the_bin_and_hangs_up_is_a_problem_that_says_what_to_check(
    journal: Journal, warnings: queue.Queue[logging.LogRecord]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, telling(_publisher(journal, server.getsockname()[1])):
        with server.accept()[0] as connection:
            assert connection.recv(4096)
        warned = warnings.get(timeout=PATIENCE_S).message
    assert "hung up before it let the bin in" in warned
    assert "check port, use_tls, certificate_file and key_file" in warned


def test_a_server_that_takes_the_connection_and_keeps_silent_has_not_hung_up(
    journal: Journal, warnings: queue.Queue[logging.LogRecord]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        settings = MqttSettings("bin-7", "127.0.0.1", server.getsockname()[1], keepalive_s=1)
        with telling(MqttPublisher(settings, journal.outbox("mqtt"))), server.accept()[0]:
            warned = warnings.get(timeout=PATIENCE_S).message
        assert "gives no answer; check that it is well, and that it speaks MQTT on this port" in warned
        with pytest.raises(UnavailableError, match="gives no answer"):
            greet(settings, timeout_s=0.1)


def test_a_broker_that_gives_no_receipt_is_a_problem(journal: Journal) -> None:
    """It lives, it answers each ping, and decisions would pile up for weeks."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        settings = MqttSettings("bin-7", host="127.0.0.1", port=server.getsockname()[1], keepalive_s=1)
        publisher = MqttPublisher(settings, journal.outbox("mqtt"))
        with telling(publisher), server.accept()[0] as connection:
            connection.settimeout(0.1)
            connection.sendall(bytes([0x20, 3, 0, 0, 0]))  # CONNACK: let in
            _decide(journal, publisher, 1)
            while "gives no receipt" not in (publisher.problem or ""):
                connection.sendall(bytes([0xD0, 0]))  # PINGRESP: before it is asked, so that it is never too late
                with suppress(TimeoutError):
                    assert connection.recv(4096), publisher.problem
        assert len(journal.outbox("mqtt").pending(9)) == 1


def test_a_broker_that_is_away_owes_no_receipt(journal: Journal, warnings: queue.Queue[logging.LogRecord]) -> None:
    with ClaimedPort() as port:
        settings = MqttSettings("bin-7", host="127.0.0.1", port=port.number, keepalive_s=1)
        publisher = MqttPublisher(settings, journal.outbox("mqtt"))
        server = socket.create_server(("127.0.0.1", port.number))
        with telling(publisher):
            with server, server.accept()[0] as connection:
                connection.settimeout(PATIENCE_S)
                connection.sendall(bytes([0x20, 3, 0, 0, 0]))  # CONNACK: let in
                _decide(journal, publisher, 1)
                while b"sorter/bin-7/decision" not in connection.recv(4096):
                    pass
            while "throws it out" not in warnings.get(timeout=PATIENCE_S).getMessage():
                pass
            until_s = time.monotonic() + 3.5
            while (left_s := until_s - time.monotonic()) > 0:
                with suppress(queue.Empty):
                    assert "receipt" not in warnings.get(timeout=left_s).getMessage()
        assert len(journal.outbox("mqtt").pending(9)) == 1


def test_a_broker_that_asks_for_a_password_refuses_the_wrong_and_takes_the_right(
    locked_broker: Broker, journal: Journal, warnings: queue.Queue[logging.LogRecord]
) -> None:
    locked_broker.start()
    listener = Listener(locked_broker.port, "sorter/bin-7/decision", login=("bin", "right"))

    wrong = _publisher(journal, locked_broker.port, username="bin", password="wrong")  # noqa: S106 - of this test's broker
    with telling(wrong):
        _decide(journal, wrong, 1)
        assert "refused: Not authorized; check user" in warnings.get(timeout=PATIENCE_S).message
    right = _publisher(journal, locked_broker.port, username="bin", password="right")  # noqa: S106
    with telling(right):
        assert _arrived(listener, 1) == [1]
        assert right.problem is None
    assert warnings.empty()
    listener.close()


@pytest.fixture
def refusing_broker(mosquitto: str, tmp_path: Path) -> Iterator[Broker]:
    """A broker that lets everybody in, and whose access list lets nobody write a decision."""
    (tmp_path / "acl").write_text("topic readwrite sorter/bin-7/availability\n")
    (tmp_path / "acl").chmod(0o644)
    broker = Broker(mosquitto, tmp_path, f"allow_anonymous true\nacl_file {tmp_path / 'acl'}\nuser root")
    yield broker
    broker.close()


def test_a_decision_that_the_access_list_refuses_waits_until_it_is_taken(
    refusing_broker: Broker, journal: Journal, tmp_path: Path
) -> None:
    refusing_broker.start()
    with telling(_publisher(journal, refusing_broker.port)) as publisher:
        _decide(journal, publisher, 2)

        assert not publisher.flush(0.5)
        assert "refuses what the bin tells (Not authorized); let this user write to sorter/bin-7/#" in (
            publisher.problem or ""
        )

        (tmp_path / "acl").write_text("topic readwrite sorter/#\n")
        refusing_broker.read_again()
        assert publisher.flush(PATIENCE_S)
        assert publisher.problem is None


@pytest.fixture
def narrow_broker(mosquitto: str, tmp_path: Path) -> Iterator[Broker]:
    """A broker that hangs up on whoever sends more than 2000 bytes at once."""
    broker = Broker(mosquitto, tmp_path, "allow_anonymous true\nmax_packet_size 2000")
    broker.start()
    yield broker
    broker.close()


def test_what_the_broker_does_not_take_is_not_sent_and_holds_up_nothing(
    narrow_broker: Broker, journal: Journal, warnings: queue.Queue[logging.LogRecord]
) -> None:
    listener = Listener(narrow_broker.port, "sorter/bin-7/#")
    publisher = _publisher(journal, narrow_broker.port)
    wordy = a_record(1)
    journal.append(replace(wordy, decision=replace(wordy.decision, reason="so " * 1000)))
    publisher.start()
    _decide(journal, publisher, 2)
    assert publisher.flush(PATIENCE_S)
    for _ in range(2):
        publisher.send("snapshot", bytes(3000))
    publisher.send("snapshot", b"small")

    assert listener.next("/availability").payload == b"online"
    assert _arrived(listener, 2) == [2, 3]
    assert listener.next("/snapshot").payload == b"small", "the connection still stands"
    assert publisher.problem is None
    publisher.stop()
    listener.close()
    told = [warnings.get_nowait().message.partition(": ")[2] for _ in range(2)]
    assert told == [
        "refuses a decision (Packet too large); see what it checks and how long a message may be",
        "takes at most 2000 bytes in one message; what is longer on sorter/bin-7/snapshot is not told",
    ]


def test_what_is_about_as_long_as_the_broker_takes_does_not_end_the_connection(
    narrow_broker: Broker, journal: Journal
) -> None:
    publisher = _publisher(journal, narrow_broker.port)
    with Listener(narrow_broker.port, "sorter/bin-7/#") as listener, telling(publisher):
        listener.next("/availability")
        for num_bytes in range(1950, 2001):
            publisher.send("snapshot", bytes(num_bytes))
        publisher.send("snapshot", b"small")
        while listener.next().payload != b"small":
            pass
        assert publisher.problem is None


def test_a_broker_without_what_the_bin_needs_says_so(mosquitto: str, tmp_path: Path) -> None:
    broker = Broker(mosquitto, tmp_path, "allow_anonymous true\nretain_available false")
    broker.start()
    with pytest.raises(UnavailableError, match="the bin needs retained messages and QoS 1"):
        greet(MqttSettings("bin-7", host="127.0.0.1", port=broker.port))
    broker.close()


def test_a_broker_that_lets_nobody_listen_is_a_problem(mosquitto: str, tmp_path: Path, journal: Journal) -> None:
    (plugin,) = Path("/usr/lib").glob("**/mosquitto_dynamic_security.so")
    (tmp_path / "access.json").write_text('{"defaultACLAccess": {"publishClientSend": true, "subscribe": false}}')
    options = f"allow_anonymous true\nplugin {plugin}\nplugin_opt_config_file {tmp_path / 'access.json'}\nuser root"
    broker = Broker(mosquitto, tmp_path, options)
    broker.start()
    settings = MqttSettings("bin-7", host="127.0.0.1", port=broker.port)
    with telling(MqttPublisher(settings, journal.outbox("mqtt"), on_command=lambda *_: None)) as publisher:
        _decide(journal, publisher, 1)
        assert publisher.flush(PATIENCE_S), "the answer to the subscription comes before that to the decision"
        assert "hear no command (Not authorized); let this user read sorter/bin-7/#" in (publisher.problem or "")
    broker.close()


def test_two_bins_of_one_name_say_so_once_each(
    broker: Broker, journal: Journal, warnings: queue.Queue[logging.LogRecord]
) -> None:
    broker.start()
    listener = Listener(broker.port, "sorter/bin-7/availability")
    twins = [_publisher(journal, broker.port) for _ in range(2)]

    for twin in twins:
        twin.start()
    for _ in range(20):
        assert listener.next()
    for twin in twins:
        twin.stop(0.5)

    sentences = {record.message for record in warnings.queue}
    assert any("whether another bin has the device.id bin-7, too" in sentence for sentence in sentences)
    assert warnings.qsize() <= 2 * len(sentences)
    listener.close()


def test_two_bins_of_one_name_leave_each_other_in_peace_for_longer_and_longer(broker: Broker, journal: Journal) -> None:
    """As two copies of one SD card do; what is wrong stands until one of them has gone."""
    broker.start()
    listener = Listener(broker.port, "sorter/bin-7/availability")
    settings = MqttSettings("bin-7", "127.0.0.1", broker.port, keepalive_s=1, retry_min_s=0.05, retry_max_s=0.8)
    twins = [MqttPublisher(settings, journal.outbox("mqtt")) for _ in range(2)]
    for twin in twins:
        twin.start()
    arrivals_s = []
    while len(arrivals_s) < 10:
        if listener.next().payload == b"online":
            arrivals_s.append(time.monotonic())
    assert arrivals_s[-1] - arrivals_s[-3] > 5 * 2 * settings.retry_min_s
    until_s = time.monotonic() + 1
    while time.monotonic() < until_s:
        assert all("device.id bin-7" in (twin.problem or "") for twin in twins)
        time.sleep(0.01)
    twins.pop().stop(0.5)
    while twins[0].problem is not None:
        assert time.monotonic() < until_s + PATIENCE_S
        time.sleep(0.01)
    twins[0].stop()
    listener.close()


def test_bins_that_lost_one_broker_together_do_not_come_back_together(journal: Journal) -> None:
    with socket.create_server(("127.0.0.1", 0)) as hanging_up:
        settings = MqttSettings("bin-7", "127.0.0.1", hanging_up.getsockname()[1], retry_min_s=1.0)
        bins = [MqttPublisher(settings, journal.outbox("mqtt")) for _ in range(8)]
        for one in bins:
            one.start()
        came_at_s = []
        for _ in range(2 * len(bins)):
            hanging_up.accept()[0].close()
            came_at_s.append(time.monotonic())
        for one in bins:
            one.stop(0.5)
    # They began within a few milliseconds; all of eight draws from 0.5 s within 0.1 s are one in ten thousand.
    assert came_at_s[-1] - came_at_s[len(bins)] > 0.1


def test_a_connection_that_held_is_made_again_at_once() -> None:
    settings = MqttSettings("bin-7", keepalive_s=30, retry_min_s=1, retry_max_s=60)
    now_s = [100.0]
    steadiness = Steadiness(settings, lambda: now_s[0])
    waited_s = []
    for lasted_s in (29, 0, 10, 15, 20, 29, 63, 119, 120):
        steadiness.begin()
        now_s[0] += lasted_s
        steadiness.end()
        waited_s.append(steadiness.delay_s)
    assert waited_s == [2, 4, 8, 16, 32, 60, 60, 60, 1]


def test_a_password_never_shows_in_print() -> None:
    assert "secret" not in repr(MqttSettings("bin-7", username="bin", password="secret"))  # noqa: S106


def test_a_certificate_that_is_not_there_or_is_none_is_named(journal: Journal, tmp_path: Path) -> None:
    missing = tmp_path / "ca.pem"
    with pytest.raises(MissingInputError, match=r"ca\.pem: expected a certificate"):
        MqttPublisher(MqttSettings("bin-7", ca_file=missing), journal.outbox("mqtt"))

    missing.write_text("no certificate\n")
    with pytest.raises(ConfigError, match="TLS to localhost:1883"):
        MqttPublisher(MqttSettings("bin-7", ca_file=missing), journal.outbox("mqtt"))


def test_a_greeting_says_whether_the_broker_lets_the_bin_in(locked_broker: Broker) -> None:
    locked_broker.start()
    here = {"host": "127.0.0.1", "port": locked_broker.port, "username": "bin"}
    greet(MqttSettings("bin-7", password="right", **here))  # type: ignore[arg-type]  # noqa: S106 - of this test's broker
    with pytest.raises(UnavailableError, match="refused: Not authorized; check user"):
        greet(MqttSettings("bin-7", password="wrong", **here))  # type: ignore[arg-type]  # noqa: S106
    locked_broker.kill()
    with pytest.raises(UnavailableError, match="cannot be reached"):
        greet(MqttSettings("bin-7", **here))  # type: ignore[arg-type]


def test_a_greeting_does_not_throw_out_the_bin_that_runs(broker: Broker, journal: Journal) -> None:
    broker.start()
    with Listener(broker.port, "sorter/bin-7/#") as listener, telling(_publisher(journal, broker.port)) as publisher:
        listener.next("/availability")
        greet(MqttSettings("bin-7", "127.0.0.1", broker.port))
        publisher.send("snapshot", b"still there")
        assert listener.next("/snapshot").payload == b"still there"
        assert publisher.problem is None


def test_a_greeting_says_that_the_access_list_refuses_what_the_bin_tells(refusing_broker: Broker) -> None:
    refusing_broker.start()
    with pytest.raises(UnavailableError, match="refuses what the bin tells"):
        greet(MqttSettings("bin-7", host="127.0.0.1", port=refusing_broker.port))
