from __future__ import annotations

import numpy as np
import pytest

from train.measuring.robustness import CONDITIONS


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("as it is", (100, 100, 100)),
        ("white balance +15 % (warm)", (115, 100, 85)),
        ("white balance -15 % (cold)", (85, 100, 115)),
        ("exposure +20 %", (120, 120, 120)),
        ("exposure -20 %", (80, 80, 80)),
    ],
)
def test_a_condition_does_what_it_is_called(condition: str, expected: tuple[int, int, int]) -> None:
    changed = CONDITIONS[condition](np.full((2, 2, 3), 100, np.uint8))
    assert changed.dtype == np.uint8
    # A gain is no exact binary number, and the fraction is cut off.
    np.testing.assert_allclose(changed[0, 0].astype(int), expected, atol=1)
