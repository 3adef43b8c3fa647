"""Actuators on GPIO lines through gpiozero: a relay, a solenoid, a lamp."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from edge.errors import AccessDeniedError, ConfigError, MissingLibraryError, UnavailableError

if TYPE_CHECKING:
    from gpiozero import Factory


@dataclass(frozen=True, slots=True)
class PulseSettings:
    """A line that is switched on for a while.

    `pin` as gpiozero names it: a Broadcom number (17), or "GPIO17", "BOARD11", "J8:11". Many relay
    boards switch on when the line is low: `active_high=False`.
    """

    pin: int | str
    pulse_s: float = 0.5
    active_high: bool = True


class PulseActuator:
    """Switches one line on for `pulse_s`, and off again; the line is off from the start.

    Raises:
        UnavailableError: another program holds the line.
        ConfigError: the board has no such pin, or another actuator here has it.
    """

    def __init__(self, settings: PulseSettings, factory: Factory) -> None:
        gpiozero = _import_gpiozero()
        self._pulse_s = settings.pulse_s
        self._halted = threading.Event()
        with line_errors(settings.pin):
            self._line = gpiozero.OutputDevice(
                settings.pin, active_high=settings.active_high, initial_value=False, pin_factory=factory
            )

    def actuate(self) -> None:
        self._halted.clear()
        try:
            self._line.on()
            self._halted.wait(self._pulse_s)
        finally:
            self._line.off()

    def make_safe(self) -> None:
        # In this order: a pulse that is just beginning then ends at once, instead of after its length.
        self._halted.set()
        if not self._line.closed:
            self._line.off()

    def close(self) -> None:
        self.make_safe()
        self._line.close()


def open_pin_factory(chip: int | None = None) -> Factory:
    """The board's lines through lgpio; `chip` is the number of /dev/gpiochip, None for the Pi's own.

    Close it after its actuators.

    Raises:
        MissingLibraryError: gpiozero or lgpio is not installed.
        UnavailableError: there is no such chip, or the board is no Raspberry Pi.
        AccessDeniedError: the user may not open the chip.
    """
    _import_gpiozero()
    try:
        import lgpio  # noqa: PLC0415 - only where there are lines to drive
        from gpiozero.exc import PinUnknownPi  # noqa: PLC0415
        from gpiozero.pins.lgpio import LGPIOFactory  # noqa: PLC0415
    except ImportError as error:
        raise MissingLibraryError(
            "GPIO needs lgpio, which is not installed: pip install 'edge-sorter[gpio]'"
            " (on Python 3.13 for arm64: apt install python3-lgpio)"
        ) from error
    try:
        return LGPIOFactory(chip=chip)
    except PinUnknownPi as error:
        raise UnavailableError(
            f"GPIO expected a Raspberry Pi, found none ({error}); name the chip, or use the log actuator"
        ) from error
    except lgpio.error as error:
        raise _chip_error(Path(f"/dev/gpiochip{chip or 0}"), error) from error


def _chip_error(device: Path, error: Exception) -> AccessDeniedError | UnavailableError:
    if device.exists() and not os.access(device, os.R_OK | os.W_OK):
        return AccessDeniedError(f"{device}: this user may not open it; add the user to the group gpio")
    return UnavailableError(f"{device}: expected a GPIO chip, found: {error}; see gpiodetect for the chips there are")


@contextlib.contextmanager
def line_errors(pin: int | str) -> Iterator[None]:
    """Name the pin and what to do when a line cannot be had."""
    gpiozero = _import_gpiozero()
    try:
        yield
    except gpiozero.GPIOPinInUse as error:
        raise ConfigError(f"pin {pin}: expected a pin of its own, found it used by another actuator") from error
    except (gpiozero.PinInvalidPin, gpiozero.PinUnknownPi) as error:
        raise ConfigError(f"pin {pin}: expected a GPIO pin of this board, found: {error}; see pinout") from error
    except gpiozero.GPIOZeroError as error:
        raise ConfigError(f"pin {pin}: cannot be used so: {error}") from error
    except Exception as error:
        # lgpio.error derives from Exception alone, and lgpio may be absent where mock pins are used.
        if type(error).__module__ != "lgpio":
            raise
        raise UnavailableError(f"pin {pin}: cannot be claimed: {error}; see gpioinfo for who holds it") from error


def _import_gpiozero() -> ModuleType:
    try:
        import gpiozero  # noqa: PLC0415 - a bin without GPIO does not need it
    except ImportError as error:
        raise MissingLibraryError(
            "GPIO needs gpiozero, which is not installed: pip install 'edge-sorter[gpio]'"
        ) from error
    return gpiozero  # type: ignore[no-any-return]
