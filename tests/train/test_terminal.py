from __future__ import annotations

import numpy as np

from edge.listing import columns_of
from train.measuring.metrics import measure
from train.terminal import columns, summary


def test_tables_stand_in_columns_in_any_script() -> None:
    """Chinese signs take two columns of a terminal each, so that spaces by the number of signs would not do."""
    labels = ("can", "玻璃瓶", "u\u0308bertopf")
    truth = np.array([0, 1, 2])
    found = summary(measure(np.eye(3, dtype=np.float32), truth, labels, model="m"))
    shares = [line for line in found.splitlines() if line.endswith("  1  ")]
    assert len(shares) == len(labels)
    assert len({columns_of(line) for line in shares}) == 1
    table = columns("", ["run"], [(label, ["1.0"]) for label in labels])
    assert len({columns_of(line) for line in table.splitlines()}) == 1
