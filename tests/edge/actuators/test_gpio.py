from __future__ import annotations

import subprocess
import sys
import threading
from itertools import pairwise
from pathlib import Path

import pytest
from gpiozero import Device, OutputDevice
from gpiozero.pins.mock import MockFactory

from edge.actuators.gpio import PulseActuator, PulseSettings, open_pin_factory
from edge.errors import ConfigError, MissingLibraryError, UnavailableError


def _history(pins: MockFactory, pin: int) -> list[bool]:
    return [bool(state.state) for state in pins.pin(pin).states]


def test_a_pulse_goes_on_and_off_and_lasts_as_long_as_it_should(pins: MockFactory) -> None:
    relay = PulseActuator(PulseSettings(17, pulse_s=0.05), pins)
    pins.pin(17).clear_states()

    assert relay.actuate() is None

    _, on, off = pins.pin(17).states
    assert (bool(on.state), bool(off.state)) == (True, False)
    # The time is the pin's own record; never short, and late at most by what a loaded machine needs to wake.
    assert 0.05 <= off.timestamp < 1.0
    relay.close()


def test_a_relay_that_is_active_low_rests_high(pins: MockFactory) -> None:
    relay = PulseActuator(PulseSettings(17, pulse_s=0.001, active_high=False), pins)
    assert pins.pin(17).state
    pins.pin(17).clear_states()

    relay.actuate()

    assert _history(pins, 17) == [True, False, True]
    relay.close()


def test_the_line_is_off_from_the_first_moment(pins: MockFactory) -> None:
    pin = pins.pin(17)
    pin.drive_high()
    pin.clear_states()

    relay = PulseActuator(PulseSettings(17), pins)

    assert not pin.state
    assert pin.function == "output"
    relay.close()


def test_a_pulse_of_less_power_is_switched_fast_and_ends_dark(pwm_pins: MockFactory) -> None:
    solenoid = PulseActuator(PulseSettings(17, pulse_s=0.001, power=0.4), pwm_pins)
    assert pwm_pins.pin(17).frequency == 100
    pwm_pins.pin(17).clear_states()

    solenoid.actuate()

    assert [state.state for state in pwm_pins.pin(17).states] == [0.0, 0.4, 0.0]
    solenoid.close()


def test_make_safe_cuts_a_long_pulse_short_from_another_thread(pins: MockFactory) -> None:
    relay = PulseActuator(PulseSettings(17, pulse_s=3600.0), pins)
    pin = pins.pin(17)
    has_begun = threading.Event()

    def actuate() -> None:
        has_begun.set()
        relay.actuate()

    mover = threading.Thread(target=actuate)
    mover.start()
    assert has_begun.wait(10)
    while mover.is_alive():
        relay.make_safe()
        mover.join(0.01)

    assert not pin.state
    relay.close()


def test_a_pulse_works_again_after_make_safe(pins: MockFactory) -> None:
    relay = PulseActuator(PulseSettings(17, pulse_s=0.001), pins)
    relay.make_safe()
    relay.make_safe()
    pins.pin(17).clear_states()

    relay.actuate()

    assert _history(pins, 17) == [False, True, False]
    relay.close()


def test_close_frees_the_pin_and_may_be_followed_by_make_safe(pins: MockFactory) -> None:
    relay = PulseActuator(PulseSettings(17, pulse_s=0.001), pins)
    relay.close()
    relay.make_safe()

    PulseActuator(PulseSettings(17), pins).close()


def test_two_actuators_on_one_pin_are_a_mistake_in_the_config(pins: MockFactory) -> None:
    first = PulseActuator(PulseSettings(17), pins)

    with pytest.raises(ConfigError, match="pin GPIO17: expected a pin of its own"):
        PulseActuator(PulseSettings("GPIO17"), pins)
    first.close()


@pytest.mark.parametrize("pin", [99, "BOARD1", "nonsense"])
def test_a_pin_that_the_board_lacks_is_a_mistake_in_the_config(pins: MockFactory, pin: int | str) -> None:
    with pytest.raises(ConfigError, match=f"pin {pin}: expected a GPIO pin"):
        PulseActuator(PulseSettings(pin), pins)


def test_a_chip_that_is_not_there_is_named() -> None:
    with pytest.raises(UnavailableError, match="/dev/gpiochip250: expected a GPIO chip"):
        open_pin_factory(chip=250)


def test_lines_ask_for_no_folder_that_can_be_written(tmp_path: Path) -> None:
    """The service's is /; on a device its lines did not open for that."""
    program = (
        "import os; from edge.actuators.gpio import open_pin_factory\n"
        "try: open_pin_factory(chip=250)\n"
        "except Exception as error: print(type(error).__name__, os.getcwd(), os.environ.get('LG_WD'))"
    )
    opened = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert opened.stdout.split() == ["UnavailableError", str(tmp_path), "None"]
    assert not list(tmp_path.iterdir())


def test_every_pulse_is_apart_from_the_next(pins: MockFactory) -> None:
    relay = PulseActuator(PulseSettings(17, pulse_s=0.001), pins)
    pins.pin(17).clear_states()

    for _ in range(20):
        relay.actuate()

    history = _history(pins, 17)
    assert len(history) == 41
    assert all(before != after for before, after in pairwise(history))
    relay.close()
    assert Device.pin_factory is None  # nothing was made behind the back of the given factory
    assert issubclass(OutputDevice, Device)


def test_a_missing_lgpio_is_told_with_both_ways_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lgpio", None)
    remedy = r"pip install '\.\[gpio\]' in sorter's folder, or on Python 3\.13 for arm64 apt install python3-lgpio"
    with pytest.raises(MissingLibraryError, match=remedy):
        open_pin_factory(0)
