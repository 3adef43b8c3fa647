"""A file from the web that may break off at any byte: the next attempt goes on where the last one was safe.

While it comes, two files lie in the folder: `<digest of the address>.part` and, beside it, a note that says of which
version of the file it is, and how many of its bytes have surely reached the disk. A server that has another version by
now, or knows no ranges, sends the whole again (RFC 9110, sections 13.1.5 and 14).
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
from collections.abc import Callable, Iterator
from http import HTTPStatus
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO, Self
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from pydantic import BaseModel, ConfigDict, ValidationError

from edge.addresses import without_secrets
from edge.errors import BundleError, StorageError, UnavailableError

log = logging.getLogger(__name__)

_TIMEOUT_S = 30.0
_CHUNK = 1 << 16
# After so many bytes what has come is made safe: a power cut costs no more than this again.
_SAFE_EVERY = 1 << 20
_NUM_DIGITS = 16


class _Note(BaseModel):
    """What is known of a file that has come in part; `validator` is a strong ETag or a date, for If-Range."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    validator: str
    num_safe: int


class _Partial:
    """The part of the file at an address that is here."""

    def __init__(self, folder: Path, address: str) -> None:
        stem = hashlib.sha256(address.encode()).hexdigest()[:_NUM_DIGITS]
        self.path = folder / f"{stem}.part"
        self._note_path = folder / f"{stem}.json"

    def note(self) -> _Note | None:
        """What can be gone on with; None where nothing can."""
        try:
            note = _Note.model_validate_json(self._note_path.read_bytes())
            return note if 0 < note.num_safe <= self.path.stat().st_size else None
        except (FileNotFoundError, ValidationError):
            return None

    def keep(self, file: IO[bytes], validator: str | None) -> None:
        """Make what was written safe, and note it; without a validator nobody could go on with it."""
        file.flush()
        os.fsync(file.fileno())
        if validator is not None:
            text = _Note(validator=validator, num_safe=file.tell()).model_dump_json()
            partial = self._note_path.with_suffix(".new")
            partial.write_text(text, encoding="utf-8")
            partial.replace(self._note_path)

    def drop_others(self) -> None:
        """What waits for other addresses goes: a card is small."""
        for path in self.path.parent.iterdir():
            if path.stem != self.path.stem:
                path.unlink()

    def forget(self) -> None:
        """Both files go."""
        for path in (self._note_path, self.path):
            path.unlink(missing_ok=True)


class Download:
    """The file at `address` on its way into `folder`; as a context it is removed at the end, unless it broke off.

    Args:
        address: its user, password and query are told to nobody but the server.
        max_bytes: a longer file is refused.
        on_progress: is told after each piece how many bytes are here, and of how many; None where the server says not.
    """

    def __init__(
        self,
        address: str,
        folder: Path,
        max_bytes: int,
        on_progress: Callable[[int, int | None], None] = lambda _bytes, _of: None,
    ) -> None:
        self._address = address
        self._place = without_secrets(address)
        self._folder = folder
        self._on_progress = on_progress
        self._max_bytes = max_bytes
        self._partial = _Partial(folder, address)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _type: object, error: BaseException | None, _trace: object) -> None:
        # What came whole but cannot be used must not be gone on with for ever.
        if not isinstance(error, UnavailableError | KeyboardInterrupt):
            with contextlib.suppress(OSError):  # a folder that cannot be written has been told already
                self._partial.forget()

    def fetch(self) -> Path:
        """The whole file. A connection that breaks is made again as long as each brings something.

        Raises:
            UnavailableError: the address does not answer, or broke off; what came is kept for the next time.
            BundleError: it is longer than allowed. StorageError: no room.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._partial.drop_others()
            while not self._is_whole():
                pass
        except (UnavailableError, BundleError):
            raise
        except OSError as error:
            raise StorageError(f"cannot keep {self._place}: {error.strerror or error}") from error
        return self._partial.path

    def _is_whole(self) -> bool:
        """Try once; False when it broke off, but brought something."""
        before = self._partial.note()
        try:
            self._attempt(before)
        except _BrokeOffError as broken:
            after = self._partial.note()
            if after is None or (before is not None and after.num_safe <= before.num_safe):
                raise UnavailableError(
                    f"{self._place}: broke off after {broken}; try again, the models are as they were"
                ) from broken
            log.warning("%s: broke off after %s, going on from there", self._place, broken)
            return False
        return True

    def _attempt(self, note: _Note | None) -> None:
        headers = {"User-Agent": "sorter", "Accept-Encoding": "identity"}
        if note is not None:
            headers |= {"Range": f"bytes={note.num_safe}-", "If-Range": note.validator}
        request = Request(self._address, headers=headers)  # noqa: S310 - the caller has checked the scheme
        try:
            answer = urlopen(request, timeout=_TIMEOUT_S)  # noqa: S310
        except HTTPError as error:
            if note is None or error.code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise self._unavailable(error) from error
            self._partial.forget()  # shorter by now than what is here
            return self._attempt(None)
        except (OSError, HTTPException, UnicodeError) as error:
            raise self._unavailable(error) from error
        with answer:
            begins_at = _begins_at(answer.status, answer.headers)
            if note is None or begins_at != note.num_safe:
                if begins_at:
                    raise UnavailableError(f"{self._place}: sends another part than asked for: {begins_at}")
                self._partial.forget()
            self._receive(answer, answer.headers, begins_at)
        return None

    def _receive(self, answer: IO[bytes], headers: HTTPMessage, begins_at: int) -> None:
        """Write what comes behind what is here, and see that it is all."""
        length = headers.get("Content-Length")
        num_wanted = begins_at + int(length) if length is not None and length.isdecimal() else None
        validator = _validator(headers)
        with self._partial.path.open("r+b" if begins_at else "wb") as file:
            file.seek(begins_at)
            file.truncate()
            num_unsafe = 0
            try:
                for chunk in _pieces(answer):
                    if file.tell() + len(chunk) > self._max_bytes:
                        raise BundleError(f"{self._place} has more than {self._max_bytes // 10**6} MB")
                    file.write(chunk)
                    self._on_progress(file.tell(), num_wanted)
                    num_unsafe += len(chunk)
                    if num_unsafe >= _SAFE_EVERY:
                        self._partial.keep(file, validator)
                        num_unsafe = 0
            except _BrokeOffError as error:
                self._partial.keep(file, validator)
                raise _BrokeOffError(f"{file.tell()} of {num_wanted or 'so many'} bytes ({error})") from error
            self._partial.keep(file, validator)
            if num_wanted is not None and file.tell() != num_wanted:
                raise _BrokeOffError(f"{file.tell()} of {num_wanted} bytes")

    def _unavailable(self, error: Exception) -> UnavailableError:
        why = getattr(error, "reason", error)
        return UnavailableError(f"{self._place}: {why}; the models are as they were")


class _BrokeOffError(Exception):
    """The connection ended before the file did; says why, or after how many bytes."""


def _pieces(answer: IO[bytes]) -> Iterator[bytes]:
    """What comes over the line, piece by piece: whatever fails here is the line's fault, and not the disk's."""
    while True:
        try:
            chunk = answer.read(_CHUNK)
        except (OSError, HTTPException) as error:
            raise _BrokeOffError(str(error)) from error
        if not chunk:
            return
        yield chunk


def _begins_at(status: int, headers: HTTPMessage) -> int:
    """The position in the file of the first byte that comes: of `Content-Range: bytes 100-199/200` 100."""
    if status != HTTPStatus.PARTIAL_CONTENT:
        return 0
    first = headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    return int(first) if first.isdecimal() else -1


def _validator(headers: HTTPMessage) -> str | None:
    """What names this version of the file to the byte; a weak ETag (W/…) does not."""
    tag = headers.get("ETag")
    return tag if tag is not None and tag.startswith('"') else headers.get("Last-Modified")
