"""Every error this project raises on purpose.

    SorterError                                   exit 70
    ├── CheckFailedError                               1   a gate, a comparison or an expectation did not hold
    ├── UsageError            (ValueError)             2   arguments that do not fit together
    ├── InvalidDataError      (ValueError)            65   a file is there, but its content cannot be used
    │   ├── PictureError                                   a picture cannot be decoded
    │   ├── VideoError                                     a video cannot be decoded, or holds no frame
    │   ├── BundleError                                    manifest, digests or model do not fit
    │   │   └── SignatureError                             not signed by the key that is trusted here
    │   └── DatasetError                                   a data folder without usable classes
    ├── MissingInputError     (FileNotFoundError)     66   a file or folder is not there
    ├── UnavailableError      (RuntimeError)          69   a device, service or library is not there
    │   ├── MissingLibraryError                            an optional dependency is not installed
    │   └── CameraError                                    the camera gives no usable picture
    │       ├── CameraLostError                            it cannot be opened, or went away
    │       ├── StalledCameraError                         it is there, but stopped giving frames
    │       ├── StaleFrameError                            no new frame within the allowed age
    │       ├── FrozenPictureError                         frames arrive, but their bytes never change
    │       └── DarkPictureError                           frames arrive, too dark to tell anything
    │           └── BlackPictureError                      nothing at all is lit in them
    ├── OutOfMemoryError      (MemoryError)           71   the computer gives no more memory
    ├── StorageError          (OSError)               74   reading or writing failed
    ├── TryAgainError         (RuntimeError)          75   busy; the same call may work later
    ├── AccessDeniedError     (PermissionError)       77   the user may not open it
    └── ConfigError           (ValueError)            78   a setting is unknown, missing or out of range

A message says what was expected, what was found and what to do; it is one or two lines, since it is
all that an owner sees. Exit codes follow sysexits.h, so that systemd can tell a mistake from a fault.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:  # it takes a tenth of a second to load, and most commands raise nothing
    from pydantic import ValidationError

Extra = Literal["mqtt", "gpio", "signing", "web", "workstation", "rescue"]
"""Optional dependencies, by their names in pyproject.toml."""


class SorterError(Exception):
    """The root: catches everything raised on purpose, and nothing else."""

    exit_code: ClassVar[int] = 70


class CheckFailedError(SorterError):
    """A check ran to its end and the answer is no."""

    exit_code = 1


class UsageError(SorterError, ValueError):
    """The arguments of a command do not fit together.

    A service is not started again after it, so nothing that a running bin meets may end it with this.
    """

    exit_code = 2


class InvalidDataError(SorterError, ValueError):
    """A file exists, but what it holds cannot be used."""

    exit_code = 65


class PictureError(InvalidDataError):
    """A picture cannot be decoded."""


class VideoError(InvalidDataError):
    """A video cannot be decoded, or holds no frame."""


class BundleError(InvalidDataError):
    """A bundle's manifest, digests or model do not fit together."""


class SignatureError(BundleError):
    """A bundle is not signed, or not by the key that this device trusts."""


class DatasetError(InvalidDataError):
    """A data folder has no classes, empty classes or contradictory groups."""


class MissingInputError(SorterError, FileNotFoundError):
    """A file or folder that was asked for is not there."""

    exit_code = 66


class UnavailableError(SorterError, RuntimeError):
    """A device, a service or a library is not there."""

    exit_code = 69


class MissingLibraryError(UnavailableError):
    """An optional dependency is not installed; the message carries the line that installs it."""

    @classmethod
    def of_extra(cls, purpose: str, library: str, extra: Extra, *, otherwise: str = "") -> MissingLibraryError:
        """`purpose` needs `library`, which the optional dependencies `extra` bring; `otherwise` helps as well."""
        remedy = f"pip install '.[{extra}]' in sorter's folder" + (f", or {otherwise}" if otherwise else "")
        return cls(f"{purpose} needs {library}, which is not installed: {remedy}")


class CameraError(UnavailableError):
    """The camera gives no usable picture."""


class CameraLostError(CameraError):
    """The camera cannot be opened, or went away."""


class StalledCameraError(CameraError):
    """The camera is there, but stopped giving frames."""


class StaleFrameError(CameraError):
    """No new frame arrived within the allowed age."""


class FrozenPictureError(CameraError):
    """Frames arrive on time, but their bytes never change."""


class DarkPictureError(CameraError):
    """Frames arrive on time, but they are too dark to tell anything."""


class BlackPictureError(DarkPictureError):
    """Nothing at all is lit in them."""


class OutOfMemoryError(SorterError, MemoryError):
    """The computer gives no more memory."""

    exit_code = 71


class StorageError(SorterError, OSError):
    """Reading or writing a file failed."""

    exit_code = 74


class TryAgainError(SorterError, RuntimeError):
    """Something is busy; the same call may work later."""

    exit_code = 75


class AccessDeniedError(SorterError, PermissionError):
    """The user running the process may not open a file or device."""

    exit_code = 77


class ConfigError(SorterError, ValueError):
    """A setting is unknown, missing or out of range."""

    exit_code = 78


def translate(error: OSError) -> SorterError:
    """The error of this project that fits one of the operating system's."""
    where = "reading or writing failed" if error.filename is None else error.filename
    text = f"{where}: {error.strerror or error}"
    if isinstance(error, FileNotFoundError):
        return MissingInputError(text)
    if isinstance(error, PermissionError):
        return AccessDeniedError(text)
    return StorageError(text)


def first_problem(error: ValidationError, whole: str = "the file") -> str:
    """The first of what pydantic found wrong, after its place; `whole` stands for what has no place inside."""
    first = error.errors(include_url=False)[0]
    place = ".".join(map(str, first["loc"])) or whole
    return f"{place}: {first['msg'].removeprefix('Value error, ')}"
