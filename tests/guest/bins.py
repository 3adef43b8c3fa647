"""The bin that runs in the guest: what it watches, what it moves, and what it must have written down."""

from __future__ import annotations

import json
from typing import Any

from tests.box.box import CONFIG, SORTER
from tests.guest.guest import Guest

STATE = "/var/lib/sorter"
# Python and the model, on a processor that is only emulated.
READY_S = 3000.0
# The network costs an emulated processor seconds: a stub of an accelerator has all scores even, in no time.
MODEL = "/opt/even"
# Each bin has a line of its own; what is not known goes to the last one.
PINS = {"recycling": 17, "paper": 27, "rest": 22}
RATE_HZ = 5
# Longer than an item lies there, and shorter than the pauses between items: only the empty scene is learned as such.
LEARN_S = 3.0

# vivid draws a scene with a counter in its corner, and a square in its middle when it is told to: the item.
# Small and slow, for the sake of machines that must emulate it.
WATCHING = f"""
[camera]
backend = "usb"
device = "/dev/video0"
width_px = 320
height_px = 180
rate_hz = {RATE_HZ}
[presence]
region = {{ top = 0.25 }}
learn_s = {LEARN_S}
[model]
backend = "edgetpu"
bundle = "{MODEL}"
[gpio]
chip = 0
[movements]
# However slow the guest is, what it decided it moves.
max_age_s = 60.0
[bins.recycling]
labels = ["glass", "metal", "plastic"]
actuator = {{ kind = "gpio", pin = 17, pulse_s = 0.3 }}
[bins.paper]
labels = ["cardboard", "paper"]
actuator = {{ kind = "gpio", pin = 27, pulse_s = 0.3 }}
[bins.rest]
labels = ["trash"]
takes_unknown = true
actuator = {{ kind = "gpio", pin = 22, pulse_s = 0.3 }}
"""
GRAY_RAMP, COUNTER_ONLY = 20, 1
_ITEM_AFTER_ITEM = "while sleep 5; do v4l2-ctl -c show_square=1; sleep 2; v4l2-ctl -c show_square=0; done"


def begin(guest: Guest, config: str = WATCHING, unit: str = "") -> None:
    """Start the service anew with this configuration, and wait until it is ready; `unit` sets lines of its unit."""
    configure(guest, config)
    set_unit(guest, unit)
    guest("systemctl", "restart", "--no-block", "sorter")
    guest.until("ActiveState", "active", READY_S)


def change(guest: Guest, config: str) -> None:
    """Let the running service take this configuration."""
    configure(guest, config)
    guest("systemctl", "reload", "sorter")
    guest.until_logged("read again", READY_S)
    guest.until("ActiveState", "active", READY_S)


def configure(guest: Guest, config: str) -> None:
    """Write the configuration as an owner has it."""
    guest.write(CONFIG, config)
    guest("sh", "-c", f"chgrp sorter {CONFIG}; chmod 640 {CONFIG}")


def set_unit(guest: Guest, lines: str) -> None:
    """Override lines of the service's unit."""
    guest.write("/etc/systemd/system/sorter.service.d/test.conf", f"[Service]\n{lines}\n")
    guest("systemctl", "daemon-reload")


def set_scene(guest: Guest, **controls: int) -> None:
    """Set the camera's own controls, which draw the scene."""
    for name, value in controls.items():
        guest("v4l2-ctl", "-c", f"{name}={value}")


def show_items(guest: Guest) -> None:
    """Show one item after another from now on."""
    guest("systemd-run", "--unit=items", "sh", "-c", _ITEM_AFTER_ITEM)


def moved(guest: Guest) -> list[int]:
    """The lines that went on, in order, over all boots."""
    return [change.line for change in guest.lines.changes() if change.is_on]


def decisions(guest: Guest) -> list[dict[str, Any]]:
    """All that the journal holds, the oldest first."""
    lines = guest(SORTER, "events", "--json", "--limit", "100000").splitlines()
    return sorted((json.loads(line) for line in lines), key=lambda decision: int(decision["seq"]))


def check_decisions(guest: Guest) -> None:
    """They count without a gap, and hold each movement that the world saw, in its order and once."""
    seen, decided = moved(guest), decisions(guest)
    assert [decision["seq"] for decision in decided] == list(range(1, len(decided) + 1))
    assert len({decision["id"] for decision in decided}) == len(decided)
    commanded = [PINS[decision["bin"]] for decision in decided if decision["commanded"]]
    left = iter(commanded)
    assert all(line in left for line in seen), f"moved {seen}, written down {commanded}"
