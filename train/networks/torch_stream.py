"""Read tensors from a legacy torch file (`torch.save` before 1.6) without torch and without running its code.

The file is five pickles in a row (magic number, protocol, system facts, the state dict, the storage
keys), then each storage in the order of the keys: a little-endian int64 count and the raw elements.
Format: `_legacy_load` in torch/serialization.py.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from edge.errors import InvalidDataError, MissingInputError

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_DTYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


@dataclass(frozen=True, slots=True)
class _Storage:
    key: str
    dtype: np.dtype[np.generic]
    num_elements: int


@dataclass(frozen=True, slots=True)
class _Tensor:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _tensor(storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: object) -> _Tensor:
    return _Tensor(storage, offset, shape, strides)


class _RestrictedUnpickler(pickle.Unpickler):
    """Knows ordered dicts, tensors and two storage types; every other global is refused."""

    def find_class(self, module: str, name: str) -> object:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        raise pickle.UnpicklingError(f"{module}.{name} does not belong in a file of weights")

    def persistent_load(self, pid: tuple[str, np.dtype[np.generic], str, str, int, object]) -> _Storage:
        _, dtype, key, _, num_elements, _ = pid
        return _Storage(key, dtype, num_elements)


def load_tensors(path: Path) -> Mapping[str, NDArray[np.generic]]:
    """Every tensor of the state dict by name, C-contiguous.

    Raises:
        MissingInputError: there is no such file.
        InvalidDataError: it is not a legacy torch file of float and int64 tensors.
    """
    if not path.is_file():
        raise MissingInputError(f"no weights at {path}: expected a legacy torch file (.pth)")
    try:
        with path.open("rb") as file:
            tensors, keys = _read_header(file)
            storages = {storage.key: storage for storage in (tensor.storage for tensor in tensors.values())}
            values = {key: _read_storage(file, storages[key]) for key in keys}
    except (pickle.UnpicklingError, EOFError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise InvalidDataError(f"{path} is not a legacy torch file of plain tensors: {error}") from error
    return {name: _view(tensor, values[tensor.storage.key]) for name, tensor in tensors.items()}


def _read_header(file: BinaryIO) -> tuple[Mapping[str, _Tensor], list[str]]:
    magic, protocol, _ = (_RestrictedUnpickler(file).load() for _ in range(3))
    if (magic, protocol) != (_MAGIC, _PROTOCOL):
        raise ValueError(f"expected protocol {_PROTOCOL}, found {protocol!r}")
    tensors: Mapping[str, _Tensor] = _RestrictedUnpickler(file).load()
    keys: list[str] = _RestrictedUnpickler(file).load()
    return tensors, keys


def _read_storage(file: BinaryIO, storage: _Storage) -> NDArray[np.generic]:
    (count,) = np.frombuffer(file.read(8), dtype="<i8")
    if count != storage.num_elements:
        raise ValueError(f"storage {storage.key}: expected {storage.num_elements} elements, found {count}")
    return np.frombuffer(file.read(storage.num_elements * storage.dtype.itemsize), dtype=storage.dtype)


def _view(tensor: _Tensor, storage: NDArray[np.generic]) -> NDArray[np.generic]:
    reach = tensor.offset + sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.strides, strict=True))
    if reach >= storage.size:
        raise InvalidDataError(f"tensor of shape {tensor.shape} reaches beyond its {storage.size} elements")
    strides = tuple(stride * storage.itemsize for stride in tensor.strides)
    return np.array(np.lib.stride_tricks.as_strided(storage[tensor.offset :], tensor.shape, strides))
