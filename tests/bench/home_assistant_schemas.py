"""Holds the announcement of a bin against Home Assistant's own MQTT schemas, and renders its templates.

    python -m tests.bench.home_assistant_schemas > announcement.json
    PYTHON_WITH_HOMEASSISTANT tests/bench/home_assistant_schemas.py --check announcement.json

Two steps, since Home Assistant wants a Python and libraries of its own (pip install homeassistant
paho-mqtt). The second prints what each entity would show, and fails on the first that is invalid.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from pathlib import Path


def _announce() -> dict[str, object]:
    from edge.messages import Phase  # noqa: PLC0415 - the second step runs without the project
    from edge.publishers.home_assistant import HomeAssistantSettings, discovery  # noqa: PLC0415
    from edge.publishers.state import NO_PROBLEM, BinState  # noqa: PLC0415
    from tests.edge.records import a_record  # noqa: PLC0415

    settings = HomeAssistantSettings("bin-7", "Bin in the hall", "0.1.0", "trashnet-lite0@3f2a")
    announcement = discovery(settings, "sorter/bin-7", ("paper", "recycling"))
    state = BinState(Phase.SETTLED, True, 0.6, "trashnet-lite0@3f2a", "trashnet-lite0@77aa", 51.7)  # noqa: FBT003
    return {
        "topic": announcement.topic,
        "payload": announcement.payload,
        "topics": {
            "sorter/bin-7/decision": a_record(1).to_json(),
            "sorter/bin-7/last": a_record(1, commanded=True).to_json(),
            "sorter/bin-7/state": state.to_json(),
            "sorter/bin-7/problem": NO_PROBLEM,
            "sorter/bin-7/bin/paper/count": "3",
            "sorter/bin-7/bin/recycling/count": "4",
        },
    }


async def _check(announced: dict[str, object]) -> None:
    from homeassistant.components.mqtt.schemas import DEVICE_DISCOVERY_SCHEMA  # noqa: PLC0415
    from homeassistant.core import HomeAssistant  # noqa: PLC0415
    from homeassistant.helpers.template import Template  # noqa: PLC0415

    hass = HomeAssistant("/tmp")  # noqa: S108 - it reads no configuration there
    payload = json.loads(str(announced["payload"]))
    DEVICE_DISCOVERY_SCHEMA(json.loads(str(announced["payload"])))
    topics = announced["topics"]
    assert isinstance(topics, dict)
    for key, entity in payload["components"].items():
        platform = importlib.import_module(f"homeassistant.components.mqtt.{entity['platform']}")
        settings = {name: value for name, value in entity.items() if name != "platform"}
        platform.DISCOVERY_SCHEMA({**settings, "device": payload["device"], "origin": payload["origin"]})
        shown = topics.get(entity.get("state_topic"), "")
        if "value_template" in entity:
            shown = Template(entity["value_template"], hass).async_render_with_possible_json_value(shown)
        sys.stdout.write(f"{entity['platform']:14} {key:18} {str(shown)[:70]}\n")
    await hass.async_stop(force=True)


def main() -> None:
    if sys.argv[1:2] == ["--check"]:
        asyncio.run(_check(json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))))
    else:
        sys.stdout.write(json.dumps(_announce()) + "\n")


if __name__ == "__main__":
    main()
