from __future__ import annotations

from pathlib import Path

import pytest

from train.fitting.progress import Epoch
from train.fitting.tensorboard import Curves


def test_tensorflow_reads_what_was_written(tmp_path: Path) -> None:
    import tensorflow as tf  # noqa: PLC0415, seconds to import
    from tensorflow.core.util import event_pb2  # noqa: PLC0415

    curves = Curves(tmp_path / "tensorboard")
    curves.add(Epoch(1, 1, 0.5, 0.75, 0.25, 0.875, 1e-3, 2.0))
    curves.add(Epoch(2, 1, 0.25, 0.75, 0.25, 0.875, 1e-3, 2.0))
    (path,) = (tmp_path / "tensorboard").iterdir()
    # Reading checks the checksums of every record.
    events = [event_pb2.Event.FromString(record.numpy()) for record in tf.data.TFRecordDataset(str(path))]
    assert events[0].file_version == "brain.Event:2"
    values = [(event.step, value) for event in events for value in event.summary.value]
    losses = [(step, value.simple_value) for step, value in values if value.tag == "loss"]
    assert losses == [(1, pytest.approx(0.5)), (2, pytest.approx(0.25))]
