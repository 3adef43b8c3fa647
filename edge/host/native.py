"""What native code, and TensorFlow, write past the verbosity that was asked for."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_log = logging.getLogger(__name__)

# A process has one descriptor 2: of two threads at once the second would keep, and put back, the file of the first.
_descriptor = threading.RLock()


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
