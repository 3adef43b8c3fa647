"""One message that makes a bin a device in Home Assistant, with all its entities.

After Home Assistant's documentation, "MQTT discovery", section "Device discovery payload". Every entity
reads topics that the bin publishes anyway; this module only says where they are and what they mean.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edge.messages import Outcome
from edge.publishers.commands import ENABLED_TOPIC, MARK_WRONG_TOPIC, PRESS, THRESHOLD_TOPIC, Verb
from edge.publishers.mqtt import OFFLINE, ONLINE, Announcement
from edge.publishers.state import NO_PROBLEM, count_topic, topic_part

_Entity = Mapping[str, str | int | float | Sequence[str]]


@dataclass(frozen=True, slots=True)
class HomeAssistantSettings:
    """`discovery_prefix` is where Home Assistant listens; `name` is what the device is called there.

    A bin that `obeys` no commands has no entity that would send one.
    """

    device_id: str
    name: str
    software_version: str
    model: str
    discovery_prefix: str = "homeassistant"
    obeys: bool = True


def discovery(
    settings: HomeAssistantSettings, prefix: str, bins: Sequence[str], former_bins: Sequence[str] = ()
) -> Announcement:
    """What to announce for the bin whose topics begin with `prefix`, and the topic after which to repeat it.

    Entities of `former_bins`, and those that a bin has only while it obeys, are taken away, as far as Home Assistant
    still has them.
    """
    device = f"sorter_{settings.device_id}"
    components: dict[str, _Entity] = {_count_key(name): {"platform": "sensor"} for name in former_bins}
    for key, entity in _entities(prefix, bins).items():
        is_there = settings.obeys or "command_topic" not in entity
        # With its platform alone, an entity is taken away.
        components[key] = {**entity, "unique_id": f"{device}_{key}"} if is_there else {"platform": entity["platform"]}
    payload = {
        "device": {
            "identifiers": [device],
            "name": settings.name,
            "manufacturer": "sorter",
            "model": settings.model,
            "sw_version": settings.software_version,
        },
        "origin": {"name": "sorter", "sw_version": settings.software_version},
        "components": components,
        "availability": [
            {
                "topic": f"{prefix}/availability",
                "payload_available": ONLINE,
                "payload_not_available": OFFLINE,
            }
        ],
    }
    return Announcement(
        topic=f"{settings.discovery_prefix}/device/{device}/config",
        payload=json.dumps(payload, separators=(",", ":")),
        repeat_topic=f"{settings.discovery_prefix}/status",
        repeat_payload="online",
    )


def _entities(prefix: str, bins: Sequence[str]) -> dict[str, _Entity]:
    return {**_about_items(prefix), **_counts(prefix, bins), **_about_the_bin(prefix), **_controls(prefix)}


def _about_items(prefix: str) -> dict[str, _Entity]:
    last = f"{prefix}/last"
    return {
        "decision": {
            "platform": "event",
            "name": "Decision",
            "icon": "mdi:recycle",
            "state_topic": f"{prefix}/decision",
            "event_types": [outcome.value for outcome in Outcome],
            "qos": 1,
        },
        "last_item": {
            "platform": "sensor",
            "name": "Last item",
            "icon": "mdi:package-variant",
            "state_topic": last,
            "value_template": "{{ value_json.label or value_json.outcome }}",
            "json_attributes_topic": last,
        },
        "confidence": {
            "platform": "sensor",
            "name": "Confidence",
            "icon": "mdi:percent",
            "state_topic": last,
            "value_template": "{{ (value_json.confidence * 100) | round(1) }}",
            "unit_of_measurement": "%",
            "state_class": "measurement",
        },
        "snapshot": {
            "platform": "image",
            "name": "Last picture",
            "image_topic": f"{prefix}/snapshot",
            "content_type": "image/jpeg",
        },
    }


def _counts(prefix: str, bins: Sequence[str]) -> dict[str, _Entity]:
    return {
        _count_key(bin_name): {
            "platform": "sensor",
            "name": f"Items in {bin_name}",
            "icon": "mdi:counter",
            "state_topic": f"{prefix}/{count_topic(bin_name)}",
            "state_class": "total_increasing",
        }
        for bin_name in bins
    }


def _count_key(bin_name: str) -> str:
    return f"count_{topic_part(bin_name)}"


def _about_the_bin(prefix: str) -> dict[str, _Entity]:
    state = f"{prefix}/state"
    return {
        "occupied": {
            "platform": "binary_sensor",
            "name": "Occupied",
            "device_class": "occupancy",
            "state_topic": state,
            "value_template": "{{ 'ON' if value_json.occupied else 'OFF' }}",
        },
        "problem": {
            "platform": "binary_sensor",
            "name": "Problem",
            "device_class": "problem",
            "entity_category": "diagnostic",
            "state_topic": f"{prefix}/problem",
            "value_template": f"{{{{ 'OFF' if value == '{NO_PROBLEM}' else 'ON' }}}}",
        },
        "temperature": {
            "platform": "sensor",
            "name": "Temperature",
            "device_class": "temperature",
            "entity_category": "diagnostic",
            "state_topic": state,
            "value_template": "{{ value_json.temperature_c }}",
            "unit_of_measurement": "°C",
            "state_class": "measurement",
        },
        "model": {
            "platform": "update",
            "name": "Model",
            "entity_category": "config",
            "state_topic": state,
            "value_template": (
                "{{ {'installed_version': value_json.model, 'latest_version': value_json.latest_model} | to_json }}"
            ),
            "command_topic": f"{prefix}/cmd/{Verb.INSTALL}",
            "payload_install": PRESS,
        },
    }


def _controls(prefix: str) -> dict[str, _Entity]:
    state = f"{prefix}/state"
    return {
        "enabled": {
            "platform": "switch",
            "name": "Sorting",
            "icon": "mdi:power",
            "state_topic": state,
            "value_template": "{{ 'ON' if value_json.enabled else 'OFF' }}",
            "command_topic": f"{prefix}/{ENABLED_TOPIC}",
        },
        "unknown_threshold": {
            "platform": "number",
            "name": "Unknown below",
            "icon": "mdi:help-circle-outline",
            "entity_category": "config",
            "state_topic": state,
            "value_template": "{{ value_json.unknown_threshold }}",
            "command_topic": f"{prefix}/{THRESHOLD_TOPIC}",
            "min": 0.0,
            "max": 1.0,
            "step": 0.01,
            "mode": "slider",
        },
        "mark_wrong": _button("Last one was wrong", "mdi:thumb-down", f"{prefix}/{MARK_WRONG_TOPIC}"),
        "restart": {
            **_button("Restart", "mdi:restart", f"{prefix}/cmd/{Verb.RESTART}"),
            "entity_category": "config",
        },
        "reset_counts": {
            **_button("Reset counts", "mdi:counter", f"{prefix}/cmd/{Verb.RESET_COUNTS}"),
            "entity_category": "config",
        },
    }


def _button(name: str, icon: str, topic: str) -> dict[str, str]:
    return {"platform": "button", "name": name, "icon": icon, "command_topic": topic, "payload_press": PRESS}
