"""What moves: one section a kind of actuator, what confirms a movement, and what all of them share.

Pins are numbers: on a Raspberry Pi those of the Broadcom chip ("GPIO17" is 17), with `gpio.chip` the
lines of that chip.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from edge.config.base import Section

Pin = Annotated[int, Field(ge=0, le=1023)]
Seconds = Annotated[float, Field(gt=0, le=60)]
Angle = Annotated[float, Field(ge=-360, le=360)]


class LogActuatorSection(Section):
    """Moves nothing and says so in the log."""

    kind: Literal["log"] = "log"


class GpioActuatorSection(Section):
    """A relay, a solenoid or a lamp on one line, on for `pulse_s`; safe is off."""

    kind: Literal["gpio"]
    pin: Pin
    active_high: bool = True
    pulse_s: Seconds = 1.0


class PwmActuatorSection(Section):
    """The same with less than full power, by pulse width: a solenoid that stays cool, a dim lamp."""

    kind: Literal["pwm"]
    pin: Pin
    power: float = Field(gt=0, lt=1)
    active_high: bool = True
    pulse_s: Seconds = 1.0


class ServoActuatorSection(Section):
    """A flap on a hobby servo, degrees; safe is `rest_angle`, where no pulses are sent."""

    kind: Literal["servo"]
    pin: Pin
    rest_angle: Angle = 0.0
    open_angle: Angle = 90.0
    open_s: Seconds = 1.0
    travel_s: Seconds = 0.5
    min_angle: Angle = 0.0
    max_angle: Angle = 180.0
    min_pulse_s: float = Field(default=0.0005, gt=0, lt=0.02)
    max_pulse_s: float = Field(default=0.0025, gt=0, lt=0.02)


class CarouselActuatorSection(Section):
    """A place on the one carousel of section [carousel], in steps from its home."""

    kind: Literal["carousel"]
    position: int = Field(ge=0, le=1_000_000)


ActuatorSection = Annotated[
    LogActuatorSection | GpioActuatorSection | PwmActuatorSection | ServoActuatorSection | CarouselActuatorSection,
    Field(discriminator="kind"),
]


class SensorConfirmSection(Section):
    """A switch on the flap or a light barrier below it, low while it is touched or broken."""

    by: Literal["switch", "light_barrier"]
    pin: Pin
    active_low: bool = True
    timeout_s: float = Field(default=0.5, ge=0, le=10)
    num_retries: int = Field(default=1, ge=0, le=5)


class LookConfirmSection(Section):
    """A second look: the movement is confirmed when the camera sees an empty scene in time."""

    by: Literal["look"]
    timeout_s: float = Field(default=1.5, gt=0, le=10)
    num_retries: int = Field(default=1, ge=0, le=5)


ConfirmSection = Annotated[SensorConfirmSection | LookConfirmSection, Field(discriminator="by")]


class CarouselSection(Section):
    """A stepper driver with step and direction inputs; the home switch closes to ground; safe is halted.

    `enable_pin` is low while the motor holds. `step_s` is the time of one step: too short, and it loses some.
    """

    step_pin: Pin
    direction_pin: Pin
    home_pin: Pin
    enable_pin: Pin | None = None
    steps_per_turn: int = Field(default=3200, ge=4, le=1_000_000)
    step_s: float = Field(default=0.001, ge=0.0001, le=1)
    drop_s: Seconds = 1.0


class GpioSection(Section):
    """Whose lines the pins are: a Raspberry Pi's, those of /dev/gpiochip<chip>, or simulated ones."""

    chip: int | None = Field(default=None, ge=0, le=99)
    simulated: bool = Field(default=False, description="no hardware: lines speak in the log, sensors answer")


class MovementsSection(Section):
    """Movements happen one at a time, `min_pause_s` apart. One that is `max_age_s` old is not done any more."""

    min_pause_s: float = Field(default=0.2, ge=0, le=60)
    max_age_s: float = Field(default=3.0, gt=0, le=60)
    queue_size: int = Field(default=4, ge=1, le=100)
