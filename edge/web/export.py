"""Reviewed pictures as a data folder in a zip, written while it is sent: no copy on the disk or in memory."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import IO, cast

# The zip format cannot tell a time before this; the pictures' own times are in their names.
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Reviewed:
    """One picture with the label that a person gave it; pictures of one `group` show the same thing."""

    record_id: str
    label: str
    group: str

    @property
    def path(self) -> str:
        """Where it lies in the data folder."""
        return f"{self.label}/{self.record_id}.jpg"


def data_folder_zip(reviewed: Iterable[Reviewed], find: Callable[[str], bytes | None]) -> Iterator[bytes]:
    """The parts of a zip with `<label>/<id>.jpg` and `groups.csv`, as `sorter train` takes it unpacked.

    A picture that `find` does not give any more is left out, there and in the list.
    """
    pipe = _Pipe()
    listed = io.StringIO(newline="")
    table = csv.writer(listed, lineterminator="\n")
    table.writerow(["path", "label", "group", "split"])
    # JPEGs do not shrink: stored as they are. zipfile takes any file that cannot seek.
    with zipfile.ZipFile(cast("IO[bytes]", pipe), "w", zipfile.ZIP_STORED) as archive:
        for one in reviewed:
            jpeg = find(one.record_id)
            if jpeg is None:
                continue
            archive.writestr(zipfile.ZipInfo(one.path, _EPOCH), jpeg)
            table.writerow([one.path, one.label, one.group, ""])
            yield pipe.take()
        archive.writestr(zipfile.ZipInfo("groups.csv", _EPOCH), listed.getvalue())
        yield pipe.take()
    yield pipe.take()


class _Pipe:
    """A file that can only be written to, and emptied."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, part: bytes) -> int:
        self._parts.append(bytes(part))
        return len(part)

    def flush(self) -> None:
        """There is nothing behind it."""

    def take(self) -> bytes:
        """What was written since the last time."""
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken
