from __future__ import annotations

import pytest

from edge.actuators.chip import ChipLines


@pytest.mark.parametrize("name", [40, "40", "GPIO40"])
def test_a_line_of_any_board_is_found_by_its_number(name: int | str) -> None:
    ((_, found),) = ChipLines().find_pin(name)

    assert found.name == "GPIO40"
    assert "gpio" in found.interfaces


@pytest.mark.parametrize("name", ["BOARD11", "", "-3", "GPIO"])
def test_names_that_only_a_pi_has_are_not_found(name: str) -> None:
    assert list(ChipLines().find_pin(name)) == []
