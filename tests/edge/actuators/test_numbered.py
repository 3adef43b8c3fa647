from __future__ import annotations

import pytest
from gpiozero import OutputDevice

from edge.actuators.numbered import NumberedLines
from edge.actuators.simulated import SimulatedLines


@pytest.mark.parametrize("name", [40, "40", "GPIO40"])
def test_a_line_of_any_board_is_found_by_its_number(name: int | str) -> None:
    ((_, found),) = NumberedLines().find_pin(name)

    assert found.name == "GPIO40"
    assert "gpio" in found.interfaces


@pytest.mark.parametrize("name", ["BOARD11", "", "-3", "GPIO"])
def test_names_that_only_a_pi_has_are_not_found(name: str) -> None:
    assert list(NumberedLines().find_pin(name)) == []


def test_gpiozero_takes_such_a_line_for_its_own() -> None:
    board = SimulatedLines()
    with OutputDevice(40, pin_factory=board) as relay:
        relay.on()
        assert board.pin(40).state
