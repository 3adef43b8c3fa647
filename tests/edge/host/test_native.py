from __future__ import annotations

import os
import subprocess
import sys

import pytest

# The second thread comes while the first is still inside, and would leave after it.
PROGRAM = """
import logging, os, sys, threading
from edge.host.native import native_stderr_logged
logging.basicConfig(level=logging.DEBUG, stream=sys.stdout, format="%(message)s")
second_is_in, first_is_out = threading.Event(), threading.Event()
def second():
    with native_stderr_logged():
        second_is_in.set()
        first_is_out.wait()
        os.write(2, b"of the second\\n")
thread = threading.Thread(target=second)
with native_stderr_logged():
    os.write(2, b"of the first\\n")
    thread.start()
    second_is_in.wait(0.5)
first_is_out.set()
thread.join()
with native_stderr_logged(), native_stderr_logged():
    os.write(2, b"of one inside the other\\n")
os.write(2, b"after all\\n")
"""


def test_native_words_are_logged_and_standard_error_comes_back_after_two_threads_at_once() -> None:
    told = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=60)
    assert told.stderr == "after all\n"
    assert told.stdout.splitlines() == ["of the first", "of the second", "of one inside the other"]


QUIET = """
import logging, os, sys
from edge.host.native import quiet_tensorflow
logging.basicConfig(level=sys.argv[1])
quiet_tensorflow()
print(os.environ["TF_CPP_MIN_LOG_LEVEL"], logging.getLogger("tensorflow").isEnabledFor(logging.WARNING))
"""


@pytest.mark.parametrize(("level", "said"), [("WARNING", "2 False"), ("INFO", "2 False"), ("DEBUG", "0 True")])
def test_tensorflow_is_heard_when_debugging_only(level: str, said: str) -> None:
    command = [sys.executable, "-c", QUIET, level]
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, env=environment)
    assert told.stdout.strip() == said
