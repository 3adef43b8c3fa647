"""GPIO lines through gpiozero, and what needs only one of them: a relay, a solenoid, a lamp."""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from edge.errors import AccessDeniedError, ConfigError, MissingLibraryError, TryAgainError, UnavailableError

if TYPE_CHECKING:
    from gpiozero import Factory


# lgpio's word for a line that another program holds; its errors have no number.
_BUSY = "busy"

# Above what an eye sees flicker, below what a MOSFET on a breadboard minds.
_PWM_HZ = 100


@dataclass(frozen=True, slots=True)
class PulseSettings:
    """A line that is switched on for a while: a relay, a solenoid, a lamp.

    `pin` as gpiozero names it: a Broadcom number (17), or "GPIO17", "BOARD11", "J8:11". Many relay
    boards switch on when the line is low: `active_high=False`. With `power` below 1 (0..1, by pulse
    width at 100 Hz) a solenoid stays cool and a lamp is dim; a relay needs 1.
    """

    pin: int | str
    pulse_s: float = 0.5
    active_high: bool = True
    power: float = 1.0


class PulseActuator:
    """Switches one line on for `pulse_s`, and off again; the line is off from the start.

    Raises:
        TryAgainError: another program holds the line. UnavailableError: it cannot be had.
        ConfigError: the board has no such pin, or another actuator here has it.
    """

    def __init__(self, settings: PulseSettings, factory: Factory) -> None:
        gpiozero = import_gpiozero()
        self._settings = settings
        self._halted = threading.Event()
        with line_errors(settings.pin):
            if settings.power < 1.0:
                self._line = gpiozero.PWMOutputDevice(
                    settings.pin, active_high=settings.active_high, frequency=_PWM_HZ, pin_factory=factory
                )
            else:
                self._line = gpiozero.OutputDevice(settings.pin, active_high=settings.active_high, pin_factory=factory)

    def actuate(self) -> None:
        self._halted.clear()
        try:
            self._line.value = self._settings.power
            self._halted.wait(self._settings.pulse_s)
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
    """The board's lines through lgpio; close it after its actuators.

    Without `chip` the board must be a Raspberry Pi, and pins have all their names. With it, the lines
    are those of /dev/gpiochip<chip> on any board, and a pin is the number of a line.

    Raises:
        MissingLibraryError: gpiozero or lgpio is not installed.
        UnavailableError: there is no such chip, or the board is no Raspberry Pi.
        AccessDeniedError: the user may not open the chip.
    """
    import_gpiozero()
    try:
        lgpio = _import_lgpio()
        from gpiozero.exc import PinUnknownPi  # noqa: PLC0415

        from edge.actuators.chip import ChipFactory, PiFactory  # noqa: PLC0415
    except ImportError as error:
        otherwise = "on Python 3.13 for arm64 apt install python3-lgpio"
        raise MissingLibraryError.of_extra("GPIO", "lgpio", "gpio", otherwise=otherwise) from error
    try:
        return PiFactory() if chip is None else ChipFactory(chip)
    except PinUnknownPi as error:
        raise UnavailableError(
            f"GPIO expected a Raspberry Pi, found none ({error}); "
            "below [gpio] give chip = 0 for the lines of /dev/gpiochip0, or simulated = true to move nothing"
        ) from error
    except lgpio.error as error:
        raise _chip_error(Path(f"/dev/gpiochip{chip or 0}"), error) from error


def _import_lgpio() -> ModuleType:
    """lgpio, which on import makes a pipe in the process's folder, or moves the process to $LG_WD and makes it there.

    A service lives in /, where it may not write (joan2937/lg, issue 12). Once open, the pipe needs no name.
    """
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(Path.cwd()):
        os.environ["LG_WD"] = folder
        try:
            import lgpio  # noqa: PLC0415 - only where there are lines to drive
        finally:
            del os.environ["LG_WD"]
    return lgpio  # type: ignore[no-any-return]


def _chip_error(device: Path, error: Exception) -> AccessDeniedError | UnavailableError:
    if device.exists() and not os.access(device, os.R_OK | os.W_OK):
        return AccessDeniedError(f"{device}: this user may not open it; add the user to the group gpio")
    return UnavailableError(f"{device}: expected a GPIO chip, found: {error}; see gpiodetect for the chips there are")


@contextlib.contextmanager
def line_errors(pin: int | str) -> Iterator[None]:
    """Name the pin and what to do when a line cannot be had."""
    gpiozero = import_gpiozero()
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
        kind = TryAgainError if _BUSY in str(error) else UnavailableError
        raise kind(f"pin {pin}: cannot be claimed: {error}; see gpioinfo for who holds it") from error


def import_gpiozero() -> ModuleType:
    """The library, or the line that installs it."""
    try:
        import gpiozero  # noqa: PLC0415 - a bin without GPIO does not need it
    except ImportError as error:
        raise MissingLibraryError.of_extra("GPIO", "gpiozero", "gpio") from error
    return gpiozero  # type: ignore[no-any-return]
