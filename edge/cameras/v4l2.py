"""Which V4L2 cameras there are, and why one cannot be opened: questions that OpenCV does not answer.

OpenCV waits for seconds on a busy device and reports every failure as the same False, hence the kernel
is asked first. Structures and numbers: linux/videodev2.h.
"""

from __future__ import annotations

import errno
import fcntl
import os
import pwd
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edge.errors import AccessDeniedError, CameraLostError, TryAgainError

_VIDIOC_QUERYCAP = 0x80685600
_CAPABILITY = struct.Struct("16s32s32sIII12x")
_VIDIOC_REQBUFS = 0xC0145608
_REQUEST_BUFFERS = struct.Struct("IIIIB3x")
_BUFFER_TYPE_CAPTURE = 1
_MEMORY_MMAP = 1

_CAN_CAPTURE = 0x1
_HAS_DEVICE_CAPABILITIES = 0x80000000

# These nodes of a Raspberry Pi give raw sensor data or none; only libcamera makes pictures of it.
_CSI_DRIVERS = frozenset({"unicam", "rp1-cfe", "bcm2835-isp", "bcm2835-codec", "pispbe"})


@dataclass(frozen=True, slots=True)
class Node:
    """A device node and the camera behind it; `bus` is the port it hangs on, such as usb-0000:01:00.0-1.2."""

    path: str
    card: str
    bus: str


class Nodes(Protocol):
    """The cameras of a machine."""

    def inspect(self, path: str) -> Node:
        """The camera at a path, which can be opened now.

        Raises:
            CameraLostError: there is none, or not one that gives pictures.
            AccessDeniedError: the user may not open it.
            TryAgainError: another process has it.
        """
        ...

    def cameras(self) -> list[Node]:
        """All that are there, also those that another process has, in the order of their numbers."""
        ...


class KernelNodes:
    """The cameras that the running kernel knows."""

    def __init__(self, device_folder: Path = Path("/dev")) -> None:
        self._device_folder = device_folder

    def inspect(self, path: str) -> Node:
        with _opened(path) as descriptor:
            node = _query(descriptor, path)
            _check_free(descriptor, node)
        return node

    def cameras(self) -> list[Node]:
        paths = sorted(self._device_folder.glob("video[0-9]*"), key=lambda path: (len(path.name), path.name))
        return list(_those_that_answer(map(str, paths)))


def _those_that_answer(paths: Iterable[str]) -> Iterator[Node]:
    for path in paths:
        with suppress(CameraLostError, AccessDeniedError, TryAgainError), _opened(path) as descriptor:
            yield _query(descriptor, path)


@contextmanager
def _opened(path: str) -> Iterator[int]:
    descriptor = _open(path)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _open(path: str) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except PermissionError as error:
        user = _user()
        raise AccessDeniedError(
            f"{user} may not open the camera {path}: sudo usermod -aG video {user}, then log in again"
        ) from error
    except FileNotFoundError as error:
        raise CameraLostError(f"no camera at {path}: is it plugged in?") from error
    except OSError as error:
        if error.errno == errno.EBUSY:
            raise _busy(path) from error
        raise CameraLostError(f"the camera {path} does not open: {error.strerror}") from error


def _query(descriptor: int, path: str) -> Node:
    answer = bytearray(_CAPABILITY.size)
    try:
        fcntl.ioctl(descriptor, _VIDIOC_QUERYCAP, answer)
    except OSError as error:
        raise CameraLostError(f"{path} is no camera: expected a V4L2 device such as /dev/video0") from error
    driver, card, bus, _, capabilities, device_capabilities = _CAPABILITY.unpack(answer)
    if _text(driver) in _CSI_DRIVERS:
        raise CameraLostError(f'{path} ({_text(driver)}) belongs to a CSI camera: set camera.backend = "csi"')
    able = device_capabilities if capabilities & _HAS_DEVICE_CAPABILITIES else capabilities
    if not able & _CAN_CAPTURE:
        raise CameraLostError(f"{path} ({_text(card)}) gives no pictures: try the camera's other /dev/video number")
    return Node(path, _text(card), _text(bus))


def _check_free(descriptor: int, node: Node) -> None:
    """Ask for a buffer and give it back: only one process can have buffers of a camera."""
    for num_buffers in (1, 0):
        request = bytearray(_REQUEST_BUFFERS.pack(num_buffers, _BUFFER_TYPE_CAPTURE, _MEMORY_MMAP, 0, 0))
        try:
            fcntl.ioctl(descriptor, _VIDIOC_REQBUFS, request)
        except OSError as error:
            if error.errno == errno.EBUSY:
                raise _busy(node.path) from error
            raise CameraLostError(f"{node.path} ({node.card}) does not start: {error.strerror}") from error


def _user() -> str:
    """The name by which the kernel judges; environment variables may tell of another."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"user {os.geteuid()}"


def _busy(path: str) -> TryAgainError:
    return TryAgainError(f"another program has the camera {path}: end it (fuser {path} names it) and try again")


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("utf-8", "replace").strip()
