from __future__ import annotations

import threading

from gpiozero.pins.mock import MockConnectedPin, MockFactory

from edge.actuators.confirmed import ConfirmedActuator, SensorSettings
from edge.actuators.gpio import PulseActuator, PulseSettings

_PATIENCE_S = 30.0
_SENSOR = SensorSettings(27, active_low=False, timeout_s=0.0, num_retries=2)


def _relay(pins: MockFactory, *, is_connected: bool, pulse_s: float = 0.001) -> PulseActuator:
    """A relay whose flap, if it is connected, closes the switch on pin 27."""
    if is_connected:
        pins.pin(17, pin_class=MockConnectedPin, input_pin=pins.pin(27))
    return PulseActuator(PulseSettings(17, pulse_s=pulse_s), pins)


def test_a_movement_that_the_switch_saw_is_confirmed_at_the_first_try(pins: MockFactory) -> None:
    actuator = ConfirmedActuator(_relay(pins, is_connected=True), _SENSOR, pins)
    pins.pin(17).clear_states()

    assert actuator.actuate() is True

    assert [bool(state.state) for state in pins.pin(17).states] == [False, True, False]
    actuator.close()


def test_a_movement_that_nothing_saw_is_tried_again_and_then_not_confirmed(pins: MockFactory) -> None:
    actuator = ConfirmedActuator(_relay(pins, is_connected=False), _SENSOR, pins)
    pins.pin(17).clear_states()

    assert actuator.actuate() is False

    assert [bool(state.state) for state in pins.pin(17).states] == [False] + [True, False] * 3
    actuator.close()


def test_a_light_barrier_that_is_always_blocked_confirms_nothing(pins: MockFactory) -> None:
    actuator = ConfirmedActuator(_relay(pins, is_connected=False), _SENSOR, pins)
    pins.pin(27).drive_high()
    assert actuator.actuate() is False
    actuator.close()


def test_make_safe_ends_the_wait_for_the_sensor(pins: MockFactory) -> None:
    has_moved = threading.Event()

    class Relay(PulseActuator):
        def actuate(self) -> None:
            super().actuate()
            has_moved.set()

    patient = SensorSettings(27, active_low=False, timeout_s=_PATIENCE_S, num_retries=2)
    actuator = ConfirmedActuator(Relay(PulseSettings(17, pulse_s=0.001), pins), patient, pins)
    answers: list[bool | None] = []
    mover = threading.Thread(target=lambda: answers.append(actuator.actuate()))
    mover.start()
    assert has_moved.wait(_PATIENCE_S)

    actuator.make_safe()
    mover.join(_PATIENCE_S / 2)

    assert answers == [None]
    mover.join()
    actuator.close()


def test_make_safe_ends_it_without_a_further_try(pins: MockFactory) -> None:
    actuator = ConfirmedActuator(_relay(pins, is_connected=False, pulse_s=3600.0), _SENSOR, pins)
    answers: list[bool | None] = []
    mover = threading.Thread(target=lambda: answers.append(actuator.actuate()))
    mover.start()
    while mover.is_alive():
        actuator.make_safe()
        mover.join(0.01)

    assert answers == [None]
    assert not pins.pin(17).state
    actuator.close()
