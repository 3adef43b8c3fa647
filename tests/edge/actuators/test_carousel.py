from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from gpiozero.pins.mock import MockFactory, MockPin

from edge.actuators.carousel import Carousel, CarouselSettings
from edge.actuators.worker import Command, obey
from edge.clock import ReplayClock
from edge.errors import ConfigError, UnavailableError

_SETTINGS = CarouselSettings(
    step_pin=5, direction_pin=6, home_pin=13, enable_pin=19,
    positions={"paper": 0, "metal": 20, "glass": 55}, steps_per_turn=80, step_s=0.0, drop_s=0.0,
)  # fmt: skip


class MotorPin(MockPin):  # type: ignore[misc]
    """The step input of a motor that really turns: it closes the home switch at 0, and may jam."""

    place = 33
    jams_at: int | None = None
    visited: tuple[int, ...] = ()

    def _change_state(self, value: bool) -> bool:  # noqa: FBT001 - gpiozero's signature
        has_changed = super()._change_state(value)
        if has_changed and value and self.factory.pin(19).state == 0:
            self._turn(1 if self.factory.pin(6).state else -1)
        return bool(has_changed)

    def _turn(self, step: int) -> None:
        target = (self.place + step) % 80
        if target != self.jams_at:
            self.place = target
            self.visited = (*self.visited, target)
        home = self.factory.pin(13)
        home.drive_low() if self.place == 0 else home.drive_high()


@pytest.fixture
def motor(pins: MockFactory) -> MotorPin:
    return pins.pin(5, pin_class=MotorPin)  # type: ignore[no-any-return]


@pytest.fixture
def carousel(pins: MockFactory, motor: MotorPin) -> Iterator[Carousel]:
    carousel = Carousel(_SETTINGS, pins)
    yield carousel
    carousel.close()


def test_the_first_turn_finds_home_then_serves_and_comes_home(carousel: Carousel, motor: MotorPin) -> None:
    assert carousel.serve(20) is True

    assert motor.visited == (*range(32, -1, -1), *range(1, 21), *range(19, -1, -1))


def test_later_turns_need_no_homing(carousel: Carousel, motor: MotorPin) -> None:
    stops = carousel.stops()
    stops["paper"].actuate()
    motor.visited = ()

    assert stops["glass"].actuate() is True

    assert motor.visited == (*range(1, 56), *range(54, -1, -1))


def test_one_that_was_turned_by_hand_is_homed_again(carousel: Carousel, motor: MotorPin, pins: MockFactory) -> None:
    carousel.serve(20)
    motor.place = 7
    pins.pin(13).drive_high()

    assert carousel.serve(20) is True
    assert motor.place == 0


def test_a_jam_on_the_way_out_is_not_confirmed(carousel: Carousel, motor: MotorPin) -> None:
    carousel.serve(0)
    motor.jams_at = 10

    assert carousel.serve(20) is False


@pytest.mark.parametrize("position", [20, 55])
def test_a_motor_that_stands_still_at_home_is_not_taken_for_one_that_came_back(
    carousel: Carousel, motor: MotorPin, position: int
) -> None:
    carousel.serve(0)
    motor.jams_at = 1
    with pytest.raises(UnavailableError, match="does not turn, or a switch that sticks"):
        carousel.serve(position)
    motor.jams_at = None
    assert carousel.serve(position) is True


def test_a_switch_that_sticks_is_named_and_the_item_comes_where_it_belongs(
    carousel: Carousel, motor: MotorPin, pins: MockFactory
) -> None:
    carousel.serve(0)
    motor.visited = ()
    pins.pin(13).drive_high = pins.pin(13).drive_low
    for _ in range(2):
        with pytest.raises(UnavailableError, match="a switch that sticks"):
            carousel.serve(20)
    assert motor.visited == 2 * (*range(1, 21), *range(19, -1, -1))


def test_close_to_home_the_switch_may_be_closed(carousel: Carousel, motor: MotorPin, pins: MockFactory) -> None:
    pins.pin(13).drive_high = pins.pin(13).drive_low
    motor.place = 0
    pins.pin(13).drive_low()
    assert [carousel.serve(position) for position in (0, 4, 76)] == [True, True, True]


def test_a_motor_that_never_meets_the_switch_gives_up_after_a_turn_and_lets_go(
    carousel: Carousel, motor: MotorPin, pins: MockFactory
) -> None:
    motor.jams_at = 32
    metal = carousel.stops()["metal"]

    assert "expected the home switch on pin 13" in str(obey(metal, Command(1, "metal", 0.0), ReplayClock()).problem)
    assert pins.pin(19).state == 1
    motor.jams_at = None
    assert obey(metal, Command(2, "metal", 0.0), ReplayClock()).problem is None


def test_halt_stops_it_on_its_way_and_the_next_turn_homes_first(pins: MockFactory, motor: MotorPin) -> None:
    carousel = Carousel(replace(_SETTINGS, drop_s=3600.0), pins)
    answers: list[bool | None] = []
    mover = threading.Thread(target=lambda: answers.append(carousel.serve(20)))
    mover.start()
    while mover.is_alive():
        carousel.halt()
        mover.join(0.01)

    assert answers == [None]
    assert pins.pin(19).state == 1
    carousel.close()


def test_a_position_beyond_a_turn_is_a_mistake_in_the_config(pins: MockFactory) -> None:
    with pytest.raises(ConfigError, match="position of metal: expected 0 to 79 steps, found 80"):
        Carousel(replace(_SETTINGS, positions={"metal": 80}), pins)
