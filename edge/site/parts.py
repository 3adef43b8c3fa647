"""The files beside a site.toml: each is named by its content, and so never written over."""

from __future__ import annotations

import hashlib
from pathlib import Path, PurePosixPath
from typing import Annotated

from pydantic import AfterValidator

from edge.errors import InvalidDataError

SITE = "site.toml"
HISTORY = "history"
_NUM_DIGITS = 12  # of the digest in a part's name: enough to tell any two contents apart


def _part(name: str) -> str:
    if PurePosixPath(name).name != name or name.startswith(".") or "-" not in name:
        raise ValueError("must be the name of a part beside site.toml, such as background-3f2a91c04d5e.png")
    return name


PartName = Annotated[str, AfterValidator(_part)]


def part_name(kind: str, content: bytes) -> str:
    """The name under which `content` is kept.

    >>> part_name("head.npz", b"weights")
    'head-9a129038d9a0.npz'
    """
    stem, _, suffix = kind.partition(".")
    return f"{stem}-{hashlib.sha256(content).hexdigest()[:_NUM_DIGITS]}.{suffix}"


def read_part(folder: Path, name: str) -> bytes:
    """The content of a part of the site in `folder`.

    Raises:
        InvalidDataError: it is missing, or not what its name says.
    """
    file = folder / name
    try:
        content = file.read_bytes()
    except OSError as error:
        raise InvalidDataError(
            f"{file} cannot be read ({error.strerror}), but {SITE} names it: copy the site again,"
            " or go back with `sorter calibrate undo`"
        ) from None
    stem, _, suffix = name.partition("-")
    if part_name(f"{stem}.{suffix.partition('.')[2]}", content) != name:
        raise InvalidDataError(f"{file} is damaged: copy the site again, or go back with `sorter calibrate undo`")
    return content
