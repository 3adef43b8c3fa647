"""How measuring tells how far it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

T = TypeVar("T")


class Progress(Protocol):
    """Passes on the things that are gone through one by one, and may show how many are left; `iter` shows nothing."""

    def __call__(self, things: Sequence[T], /) -> Iterable[T]: ...
