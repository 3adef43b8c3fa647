from __future__ import annotations

import pytest
from gpiozero import OutputDevice
from gpiozero.pins.mock import MockFactory

from edge.actuators.chip import ChipLines


@pytest.mark.parametrize("name", [40, "40", "GPIO40"])
def test_a_line_of_any_board_is_found_by_its_number(name: int | str) -> None:
    ((_, found),) = ChipLines().find_pin(name)

    assert found.name == "GPIO40"
    assert "gpio" in found.interfaces


@pytest.mark.parametrize("name", ["BOARD11", "", "-3", "GPIO"])
def test_names_that_only_a_pi_has_are_not_found(name: str) -> None:
    assert list(ChipLines().find_pin(name)) == []


class OtherBoard(MockFactory):  # type: ignore[misc]
    """Mock pins, named as on a board that is no Raspberry Pi."""

    def _get_board_info(self) -> ChipLines:
        return ChipLines()


def test_gpiozero_takes_such_a_line_for_its_own() -> None:
    board = OtherBoard()
    with OutputDevice(40, pin_factory=board) as relay:
        relay.on()
        assert board.pin(40).state
