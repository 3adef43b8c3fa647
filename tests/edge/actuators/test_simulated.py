"""Every actuator of a configuration, tried without hardware."""

from __future__ import annotations

import logging
from contextlib import ExitStack

import pytest

from edge.actuators.simulated import SimulatedLines, SimulatedMotor
from edge.assembly.actuators import open_actuators
from edge.config import Config

BINS = {
    "relay": {
        "actuator": {"kind": "gpio", "pin": 17, "pulse_s": 0.01, "active_high": False},
        "confirm": {"by": "switch", "pin": 5, "num_retries": 0},
    },
    "solenoid": {
        "actuator": {"kind": "pwm", "pin": 27, "pulse_s": 0.01, "power": 0.4},
        "confirm": {"by": "light_barrier", "pin": 6, "active_low": False, "num_retries": 0},
    },
    "flap": {
        "actuator": {"kind": "servo", "pin": 22, "open_s": 0.01, "travel_s": 0.01},
        "confirm": {"by": "switch", "pin": 13, "num_retries": 0},
    },
    "near": {"actuator": {"kind": "carousel", "position": 8}, "confirm": {"by": "switch", "pin": 19}},
    "far": {"actuator": {"kind": "carousel", "position": 25}},
    "still": {},
}
CAROUSEL = {
    "step_pin": 20,
    "direction_pin": 21,
    "home_pin": 16,
    "enable_pin": 12,
    "steps_per_turn": 40,
    "step_s": 0.0001,
    "drop_s": 0.01,
}


def test_every_actuator_moves_and_every_sensor_sees_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    config = Config.model_validate({"gpio": {"simulated": True}, "bins": BINS, "carousel": CAROUSEL})
    with ExitStack() as stack:
        actuators = open_actuators(stack, config, tuple(BINS), {}, scene=None)
        confirmed = {name: [actuator.actuate() for _ in range(2)] for name, actuator in actuators.items()}
    assert confirmed == {name: [None, None] if name == "still" else [True, True] for name in BINS}
    told = [record.getMessage() for record in caplog.records]
    assert "carousel: at home" in told
    assert "carousel: at step 25, now turning towards home" in told
    assert not [line for line in told if line.startswith("line GPIO20")], "three thousand steps are no news"


def test_a_motor_turns_only_while_its_driver_is_enabled() -> None:
    lines = SimulatedLines()
    motor = SimulatedMotor(lines, step_pin=20, direction_pin=21, home_pin=16, enable_pin=12, steps_per_turn=30)
    for pin in (12, 20, 21):
        lines.pin(pin).function = "output"
    for is_disabled in (1, 0):
        lines.pin(12).state = is_disabled
        for level in (1, 0, 1, 0):
            lines.pin(20).state = level
    assert motor.place == 30 // 3 - 2
