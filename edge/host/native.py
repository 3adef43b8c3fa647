"""What native code, and TensorFlow, write past the verbosity that was asked for."""

from __future__ import annotations

import faulthandler
import logging
import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

_log = logging.getLogger(__name__)

# A process has one descriptor 2: of two threads at once the second would keep, and put back, the file of the first.
_descriptor = threading.RLock()

# Lines that differ in their numbers alone are one text; a program that has said so many has nothing new to say.
_NUMBER = re.compile(r"\d+")
_MAX_TEXTS = 50
# A child process that does not end holds the pipe open.
_LAST_WORDS_S = 0.5


def quiet_tensorflow() -> None:
    """Keep TensorFlow's chatter off stderr, but for debugging; to be called before its first import, which reads this.

    Its Python half warns of every model anew that it traces one: here are several, each for long.
    """
    is_debugging = _log.isEnabledFor(logging.DEBUG)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "0" if is_debugging else "2")
    if not is_debugging:
        logging.getLogger("tensorflow").setLevel(logging.ERROR)


@contextmanager
def native_stderr_logged() -> Iterator[None]:
    """Turn what native code writes to file descriptor 2 into debug lines: it follows no log level.

    One thread at a time: another waits at its entry until the first is through.
    """
    with _descriptor, tempfile.TemporaryFile() as caught:
        sys.stderr.flush()
        kept = os.dup(2)
        os.dup2(caught.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            caught.seek(0)
            for line in caught.read().decode(errors="replace").splitlines():
                _log.debug("%s", line)


@contextmanager
def native_stderr_told_once() -> Iterator[None]:
    """Let each text that native code writes to file descriptor 2 be a warning once, and debug lines from then on.

    libjpeg complains of every picture of many a USB camera, which would be millions of lines a day. Python's own
    stderr goes on as it was. For the main thread of a process that does nothing else; what comes faster than it is
    read is lost. So are the last words of native code that dies: where Python was is told in their place.
    """
    sys.stderr.flush()
    reading, writing = os.pipe()
    os.set_blocking(writing, False)  # whoever writes may hold Python's lock, without which nobody reads
    listener = threading.Thread(target=_tell_once, args=(reading,), name="native-stderr", daemon=True)
    listener.start()
    with os.fdopen(os.dup(2), "w", buffering=1, errors="backslashreplace") as kept, _stderr_at(kept):
        os.dup2(writing, 2)
        os.close(writing)
        try:
            with _last_words_at(kept):
                yield
        finally:
            os.dup2(kept.fileno(), 2)  # nobody writes into the pipe any more, which so ends
            listener.join(_LAST_WORDS_S)


@contextmanager
def _stderr_at(file: TextIO) -> Iterator[None]:
    """Python's own stderr and log in `file`, unless they are elsewhere already."""
    own = sys.stderr
    if _is_at_descriptor_2(own):
        sys.stderr = file
        _turn_handlers(own, file)
    try:
        yield
    finally:
        _turn_handlers(file, own)
        sys.stderr = own


@contextmanager
def _last_words_at(file: TextIO) -> Iterator[None]:
    if faulthandler.is_enabled():  # by somebody who knows better where to
        yield
        return
    faulthandler.enable(file, all_threads=False)
    try:
        yield
    finally:
        faulthandler.disable()


def _is_at_descriptor_2(file: TextIO) -> bool:
    try:
        return file.fileno() == 2
    except OSError:  # it is in memory
        return False


def _turn_handlers(old: TextIO, new: TextIO) -> None:
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler) and handler.stream is old:
            handler.setStream(new)


def _tell_once(descriptor: int) -> None:
    told: set[str] = set()
    with os.fdopen(descriptor, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            text = _NUMBER.sub("#", line)
            is_news = text not in told and len(told) < _MAX_TEXTS
            if is_news:
                told.add(text)
            _log.log(logging.WARNING if is_news else logging.DEBUG, "%s", line.rstrip())
