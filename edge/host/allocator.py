"""How the C library keeps memory that was freed."""

from __future__ import annotations

import ctypes

_M_ARENA_MAX = -8  # mallopt(3), malloc.h


def share_one_arena() -> None:
    """Let all threads allocate from one heap, as some 5 MB of a bin's memory are else kept in heaps of their own.

    By default glibc gives each thread one that it hardly uses. Call it before threads start. Elsewhere than on
    glibc nothing happens.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)
