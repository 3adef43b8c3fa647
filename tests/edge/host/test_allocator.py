from __future__ import annotations

import platform
import subprocess
import sys

import pytest

# Threads that all hold a block at once: left alone, glibc gives each of them a heap of its own.
PROGRAM = """
import ctypes, sys, threading
from edge.host.allocator import share_one_arena
if sys.argv[1] == "shared":
    share_one_arena()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
all_hold_one = threading.Barrier(4)
def hold():
    libc.malloc(ctypes.c_size_t(1000))
    all_hold_one.wait()
threads = [threading.Thread(target=hold) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
libc.fflush(None)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps a heap for each thread")
def test_threads_share_one_heap_once_they_are_told_to() -> None:
    assert num_heaps("apart") > 1
    assert num_heaps("shared") == 1


def num_heaps(how: str) -> int:
    command = [sys.executable, "-c", PROGRAM, how]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    return told.count("<heap nr=")
