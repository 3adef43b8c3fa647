"""Curves for TensorBoard, written without it: event files are TFRecords of small protobuf messages.

Formats: tensorflow/core/lib/io/record_writer.h and tensorflow/core/util/event.proto.
"""

from __future__ import annotations

import struct
import time
from dataclasses import asdict
from functools import cache
from pathlib import Path

from train.fitting.progress import Epoch

_POLYNOMIAL = 0x82F63B78  # CRC-32C, reflected: RFC 3720, appendix B.4
_MASK_DELTA = 0xA282EAD8
_CURVES = ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "epoch_s")


class Curves:
    """An event file in `folder` that grows by an epoch at a time; a resumed run begins another beside it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"events.out.tfevents.{time.time_ns() // 1_000_000}.sorter"
        self._append(_double(1, time.time()) + _bytes(3, b"brain.Event:2"))

    def add(self, epoch: Epoch) -> None:
        """Append one point to every curve."""
        values = asdict(epoch)
        for name in _CURVES:
            value = _bytes(1, _bytes(1, name.encode()) + _float(2, values[name]))
            self._append(_double(1, time.time()) + _integer(2, epoch.epoch) + _bytes(5, value))

    def _append(self, event: bytes) -> None:
        length = struct.pack("<Q", len(event))
        with self._path.open("ab") as file:
            file.write(length + _masked_crc(length) + event + _masked_crc(event))


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 127:
        encoded.append(number & 127 | 128)
        number >>= 7
    return bytes([*encoded, number])


def _integer(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _double(field: int, value: float) -> bytes:
    return _varint(field << 3 | 1) + struct.pack("<d", value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _float(field: int, value: float) -> bytes:
    return _varint(field << 3 | 5) + struct.pack("<f", value)


def _masked_crc(content: bytes) -> bytes:
    crc = 0xFFFFFFFF
    for byte in content:
        crc = _crc_table()[(crc ^ byte) & 255] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF)


@cache
def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (_POLYNOMIAL if crc & 1 else 0)
        table.append(crc)
    return tuple(table)
