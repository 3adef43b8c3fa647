from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from edge.assembly.outlets import open_outlets
from edge.assembly.parts import load_parts
from edge.clock import ReplayClock
from edge.config import load_config
from edge.journal import Journal
from edge.running.farewell import Farewell
from tests.edge.publishers.broker import PATIENCE_S, Broker, Listener
from tests.edge.records import a_record


@pytest.fixture
def broker(mosquitto: str, tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(mosquitto, tmp_path)
    broker.start()
    yield broker
    broker.close()


def live_with(bin_name: str, broker: Broker, journal: Journal, *overrides: str) -> None:
    """A bin whose glass goes into `bin_name` begins, decides once, and ends."""
    bins = [f'bins.{bin_name}.labels=["glass"]', 'bins.rest.labels=["cardboard", "metal", "paper", "plastic", "trash"]']
    outlet = ["mqtt.host=127.0.0.1", f"mqtt.port={broker.port}", "mqtt.home_assistant=true"]
    parts = load_parts(load_config(None, [*bins, *outlet, *overrides], {}))
    with Farewell() as stack:
        mqtt = open_outlets(stack, parts, journal, lambda _topic, _payload: None).mqtt
        assert mqtt is not None
        mqtt.retain(f"bin/{bin_name}/count", "7")
        record = a_record(journal.next_seq, bin_name=bin_name)
        journal.append(record)
        mqtt.tell(record)
        assert mqtt.flush(PATIENCE_S)


def hanging(broker: Broker) -> dict[str, str]:
    """What the broker retains."""
    end = f"end-of-{broker.port}"
    with Listener(broker.port, "#") as listener:
        listener.say(end, b"")
        messages = iter(listener.next, None)
        found = {}
        for message in messages:
            if message.topic == end:
                return found
            found[message.topic] = message.payload.decode()
    raise AssertionError("the broker has gone")


def test_of_a_bin_that_is_called_otherwise_now_nothing_is_left_at_the_broker(broker: Broker, tmp_path: Path) -> None:
    with closing(Journal(tmp_path / "journal.sqlite", ReplayClock())) as journal:
        live_with("bottles", broker, journal)
        assert hanging(broker)["sorter/bin/bin/bottles/count"] == "7"
        journal.reset_counts()

        live_with("glass", broker, journal)
        told = hanging(broker)
        assert told["sorter/bin/bin/glass/count"] == "7"
        assert "sorter/bin/bin/bottles/count" not in told
        entities = json.loads(told["homeassistant/device/sorter_bin/config"])["components"]
        assert entities["count_bottles"] == {"platform": "sensor"}, "so Home Assistant takes it away"
        assert entities["count_glass"]["state_topic"] == "sorter/bin/bin/glass/count"

        live_with("bottles", broker, journal)
        assert hanging(broker)["sorter/bin/bin/bottles/count"] == "7", "and it may come back"


def test_home_assistant_forgets_a_bin_that_is_not_told_to_it_any_more(broker: Broker, tmp_path: Path) -> None:
    of_this, of_other = (f"homeassistant/device/sorter_{device}/config" for device in ("bin", "other"))
    with closing(Journal(tmp_path / "journal.sqlite", ReplayClock())) as journal:
        live_with("glass", broker, journal, "mqtt.home_assistant=false")
        assert of_this not in hanging(broker)
        live_with("glass", broker, journal)
        assert of_this in hanging(broker)

        # A card that was copied: the other bin still lives.
        live_with("glass", broker, journal, "device.id=other", "mqtt.home_assistant=false")
        assert of_this in hanging(broker)
        live_with("glass", broker, journal, "mqtt.home_assistant=false")
        told = hanging(broker)
        assert of_this not in told
        assert of_other not in told
        assert "sorter/bin/last" in told
