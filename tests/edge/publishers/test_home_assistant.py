"""The announcement's inner consistency; `tests/bench/home_assistant_schemas.py` asks Home Assistant itself."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from edge.messages import Outcome, Phase
from edge.publishers.commands import COMMAND_TOPICS, parse_command
from edge.publishers.home_assistant import HomeAssistantSettings, discovery
from edge.publishers.state import BinState, count_topic, topic_part

_SETTINGS = HomeAssistantSettings("bin-7", "Bin in the hall", "0.1.0", "trashnet-lite0@3f2a")
_ANNOUNCEMENT = discovery(_SETTINGS, "sorter/bin-7", ("paper", "metal"))


@pytest.fixture
def components() -> dict[str, dict[str, Any]]:
    return json.loads(_ANNOUNCEMENT.payload)["components"]  # type: ignore[no-any-return]


def test_it_goes_where_home_assistant_looks_for_devices() -> None:
    assert _ANNOUNCEMENT.topic == "homeassistant/device/sorter_bin-7/config"
    assert (_ANNOUNCEMENT.repeat_topic, _ANNOUNCEMENT.repeat_payload) == ("homeassistant/status", "online")


def test_every_entity_has_a_name_and_an_id_of_its_own(components: dict[str, dict[str, Any]]) -> None:
    ids = {entity["unique_id"] for entity in components.values()}
    names = {entity["name"] for entity in components.values()}

    assert len(ids) == len(names) == len(components)
    assert all(one.startswith("sorter_bin-7_") for one in ids)


def test_each_bin_has_its_count(components: dict[str, dict[str, Any]]) -> None:
    topics = {entity.get("state_topic") for entity in components.values()}

    assert {"sorter/bin-7/bin/paper/count", "sorter/bin-7/bin/metal/count"} <= topics


def test_a_bin_may_be_called_what_no_topic_may_hold() -> None:
    names = ("paper/cardboard", "paper+cardboard", "glass #1", "glass %231")
    announced = json.loads(discovery(_SETTINGS, "sorter/bin-7", names).payload)["components"]
    counts = {entity["unique_id"]: entity for key, entity in announced.items() if key.startswith("count_")}

    assert [counts[f"sorter_bin-7_count_{topic_part(name)}"]["name"] for name in names] == [
        f"Items in {name}" for name in names
    ]
    topics = [entity["state_topic"] for entity in counts.values()]
    assert topics == [f"sorter/bin-7/{count_topic(name)}" for name in names]
    assert len(set(topics)) == len(names)
    assert all(topic.count("/") == 4 and not {"+", "#"} & set(topic) for topic in topics)


def test_every_control_speaks_a_topic_and_a_payload_that_the_bin_understands(
    components: dict[str, dict[str, Any]],
) -> None:
    sent = {
        entity["command_topic"].removeprefix("sorter/bin-7/"): entity.get("payload_press")
        or entity.get("payload_install")
        or {"switch": "ON", "number": "0.5"}[entity["platform"]]
        for entity in components.values()
        if "command_topic" in entity
    }

    assert set(sent) == set(COMMAND_TOPICS)
    for topic, payload in sent.items():
        parse_command(topic, payload.encode(), labels=())


def test_a_bin_that_obeys_no_commands_has_no_controls(components: dict[str, dict[str, Any]]) -> None:
    """A switch that switches nothing off would be believed by whoever then reaches into the flap."""
    deaf = discovery(replace(_SETTINGS, obeys=False), "sorter/bin-7", ("paper", "metal"))
    announced = json.loads(deaf.payload)["components"]
    assert "command_topic" not in deaf.payload
    for key, entity in components.items():
        assert announced[key] == ({"platform": entity["platform"]} if "command_topic" in entity else entity)


def test_the_event_knows_every_outcome(components: dict[str, dict[str, Any]]) -> None:
    assert components["decision"]["event_types"] == [outcome.value for outcome in Outcome]


def test_the_state_has_every_value_that_a_template_reads(components: dict[str, dict[str, Any]]) -> None:
    state = json.loads(
        BinState(Phase.EMPTY, is_enabled=True, unknown_threshold=0.6, model="a", latest_model="b").to_json()
    )
    templates = [
        entity["value_template"] for entity in components.values() if entity.get("state_topic") == "sorter/bin-7/state"
    ]

    read = {part.split()[0].strip("},|") for one in templates for part in one.split("value_json.")[1:]}
    assert read <= set(state)
    assert read == {"occupied", "temperature_c", "model", "latest_model", "enabled", "unknown_threshold"}


def test_a_flickering_temperature_is_not_a_new_state() -> None:
    cool, warm = (
        BinState(Phase.EMPTY, True, 0.6, "a", "a", temperature_c=degrees).to_json()  # noqa: FBT003
        for degrees in (51.6, 52.4)
    )

    assert cool == warm
