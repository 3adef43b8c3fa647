from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from edge.errors import InvalidDataError, MissingInputError
from train.networks.lite import imagenet_weights_path
from train.networks.torch_stream import load_tensors

WEIGHTS = imagenet_weights_path("efficientnet-lite0")


def test_every_tensor_of_the_imagenet_file_is_read() -> None:
    tensors = load_tensors(WEIGHTS)
    assert len(tensors) == 296
    assert tensors["_conv_stem.weight"].shape == (32, 3, 3, 3)
    assert tensors["_fc.weight"].shape == (1000, 1280)
    assert tensors["_bn0.num_batches_tracked"].shape == ()
    # The variances of a batch norm cannot be negative: a slip of one element in the stream would show here.
    assert all((values >= 0).all() for name, values in tensors.items() if name.endswith("running_var"))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match=r"no weights at .*none\.pth"):
        load_tensors(tmp_path / "none.pth")


@pytest.mark.parametrize("content", [b"", b"weights", pickle.dumps([1, 2])])
def test_another_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "other.pth").write_bytes(content)
    with pytest.raises(InvalidDataError, match="is not a legacy torch file of plain tensors"):
        load_tensors(tmp_path / "other.pth")


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cut.pth").write_bytes(WEIGHTS.read_bytes()[:100_000])
    with pytest.raises(InvalidDataError, match="is not a legacy torch file"):
        load_tensors(tmp_path / "cut.pth")


class Malicious:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return Path.touch, (self.target,)


def test_code_in_the_file_is_never_run(tmp_path: Path) -> None:
    (tmp_path / "evil.pth").write_bytes(pickle.dumps(Malicious(tmp_path / "ran")))
    with pytest.raises(InvalidDataError, match="does not belong in a file of weights"):
        load_tensors(tmp_path / "evil.pth")
    assert not (tmp_path / "ran").exists()
