from __future__ import annotations

import threading

import pytest
from gpiozero.pins.mock import MockFactory

from edge.actuators.servo import ServoFlap, ServoSettings
from edge.errors import ConfigError

# Angles 0, 90 and 180 as 0.5, 1.5 and 2.5 ms of a 20 ms frame.
_REST, _OPEN = 0.025, 0.075
_QUICK = ServoSettings(12, open_s=0.02, travel_s=0.01)


def _duties(pwm_pins: MockFactory) -> list[float]:
    return [round(float(state.state), 4) for state in pwm_pins.pin(12).states]


def test_a_flap_swings_open_and_back_and_then_gets_no_more_pulses(pwm_pins: MockFactory) -> None:
    flap = ServoFlap(_QUICK, pwm_pins)
    flap.make_safe()
    pwm_pins.pin(12).clear_states()

    flap.actuate()

    assert _duties(pwm_pins) == [0.0, _OPEN, _REST, 0.0]
    opened, back = pwm_pins.pin(12).states[2:4]
    assert opened.timestamp >= 0.03
    assert back.timestamp >= 0.01
    flap.close()


def test_nothing_moves_when_it_is_made_and_the_first_make_safe_goes_to_rest_once(pwm_pins: MockFactory) -> None:
    flap = ServoFlap(_QUICK, pwm_pins)
    assert set(_duties(pwm_pins)) <= {0.0, 1.0}  # 1.0 is the mock's pull-up before it became an output
    pwm_pins.pin(12).clear_states()

    flap.make_safe()
    flap.make_safe()

    assert _duties(pwm_pins) == [0.0, _REST, 0.0]
    flap.close()


def test_make_safe_brings_an_open_flap_back_from_another_thread(pwm_pins: MockFactory) -> None:
    flap = ServoFlap(ServoSettings(12, open_s=3600.0, travel_s=0.01), pwm_pins)
    mover = threading.Thread(target=flap.actuate)
    mover.start()
    while mover.is_alive():
        flap.make_safe()
        mover.join(0.01)

    assert _duties(pwm_pins)[-2:] == [_REST, 0.0]
    flap.close()
    flap.make_safe()


def test_an_angle_out_of_range_is_a_mistake_in_the_config(pwm_pins: MockFactory) -> None:
    with pytest.raises(ConfigError, match="expected an angle from 0 to 180, found 200"):
        ServoFlap(ServoSettings(12, open_angle=200.0), pwm_pins)
