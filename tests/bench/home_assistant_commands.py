"""A real Home Assistant commands a running bin, and the bin's decisions show that it obeys.

    python -m tests.bench.home_assistant_commands http://homeassistant.local:8123 --token FILE --entity bin_in_the_hall

`--token` holds a long-lived access token, `--entity` is what the entities' names begin with. Items must keep coming
(a simulated camera with many will do). At the end the bin sorts as before, with the threshold that it had.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

_PATIENCE_S = 60.0
_EVERY_S = 0.1
_UNREACHABLE = 1.0  # no item is as sure as this


@dataclass(frozen=True, slots=True)
class HomeAssistant:
    """What is asked of Home Assistant's REST API."""

    url: str
    token: str
    prefix: str

    def command(self, service: str, name: str, **values: object) -> None:
        """Call a service (`switch/turn_off`) for one entity of the bin."""
        domain = service.partition("/")[0]
        self._ask(f"/api/services/{service}", {"entity_id": f"{domain}.{self.prefix}_{name}", **values})

    def state(self, entity: str) -> str:
        """What Home Assistant shows for an entity, such as `switch.sorting`."""
        return str(self._entity(entity)["state"])

    def decision(self) -> dict[str, Any]:
        """The last decision that Home Assistant has heard of."""
        attributes: dict[str, Any] = self._entity("event.decision")["attributes"]
        return attributes

    def _entity(self, entity: str) -> dict[str, Any]:
        domain, _, name = entity.partition(".")
        found: dict[str, Any] = self._ask(f"/api/states/{domain}.{self.prefix}_{name}")
        return found

    def _ask(self, path: str, body: object = None) -> Any:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        content = None if body is None else json.dumps(body).encode()
        with urlopen(Request(self.url + path, content, headers), timeout=30) as answer:  # noqa: S310 - the owner's address
            return json.loads(answer.read())


def _until(what: str, is_so: Callable[[], bool]) -> None:
    began_s = time.monotonic()
    while not is_so():
        if time.monotonic() - began_s > _PATIENCE_S:
            raise SystemExit(f"not within {_PATIENCE_S:.0f} s: {what}")
        time.sleep(_EVERY_S)
    print(f"{time.monotonic() - began_s:6.2f} s  {what}")


def _next_decision(home: HomeAssistant) -> dict[str, Any]:
    """The second from now: the first may have been under way when the command came."""
    seq = home.decision()["seq"]
    _until("two more decisions", lambda: int(home.decision()["seq"]) >= seq + 2)
    return home.decision()


def walk(home: HomeAssistant) -> None:
    """Each command in turn; what does not obey ends the walk with a line."""
    threshold = float(home.state("number.unknown_below"))
    home.command("switch/turn_off", "sorting")
    _until("the switch shows off", lambda: home.state("switch.sorting") == "off")
    assert not _next_decision(home)["commanded"], "it moved while it was switched off"
    home.command("switch/turn_on", "sorting")
    _until("the switch shows on", lambda: home.state("switch.sorting") == "on")
    assert _next_decision(home)["commanded"], "nothing moved although it was switched on"
    home.command("number/set_value", "unknown_below", value=_UNREACHABLE)
    _until("the threshold shows 1", lambda: float(home.state("number.unknown_below")) == _UNREACHABLE)
    assert _next_decision(home)["event_type"] == "unknown", "an item was accepted below the threshold"
    home.command("number/set_value", "unknown_below", value=threshold)
    _until("the threshold is what it was", lambda: float(home.state("number.unknown_below")) == threshold)
    _until("an item is accepted again", lambda: home.decision()["event_type"] == "accepted")
    home.command("button/press", "reset_counts")
    counted = f"sensor.items_in_{home.decision()['bin']}"
    _until("the counts begin again", lambda: int(home.state(counted)) <= 1)
    home.command("button/press", "last_one_was_wrong")
    print("pressed: `sorter events --wrong` shows", home.decision()["seq"], "or the one after it")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--token", type=Path, required=True)
    parser.add_argument("--entity", default="sorter")
    options = parser.parse_args()
    walk(HomeAssistant(options.url.rstrip("/"), options.token.read_text(encoding="utf-8").strip(), options.entity))


if __name__ == "__main__":
    main()
