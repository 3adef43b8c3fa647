from __future__ import annotations

import os
import signal
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


NOISY = """
import logging, os, sys
import cv2, numpy as np
from edge.host.native import native_stderr_logged, native_stderr_told_once
logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(message)s")
log = logging.getLogger()
whole = cv2.imencode(".jpg", np.zeros((64, 64, 3), np.uint8))[1].tobytes()
with native_stderr_told_once():
    for number in range(1, 2001):
        # As many cameras send them: one byte too much, or a few.
        damaged = whole[:-2] + b"\\x12\\x34\\x56" * (1 + number % 3) + whole[-2:]
        assert cv2.imdecode(np.frombuffer(damaged, np.uint8), cv2.IMREAD_COLOR) is not None
    with native_stderr_logged():
        os.write(2, b"within\\n")
    log.warning("said by Python")
    print("printed by Python", file=sys.stderr)
os.write(2, b"after all\\n")
log.warning("said after all")
"""


def test_what_native_code_says_of_every_picture_is_a_warning_once() -> None:
    told = subprocess.run([sys.executable, "-c", NOISY], capture_output=True, text=True, check=True, timeout=60)
    lines = told.stderr.splitlines()
    assert sum(line.startswith("Corrupt JPEG data") for line in lines) == 1
    rest = [line for line in lines if not line.startswith("Corrupt JPEG data")]
    assert rest == ["said by Python", "printed by Python", "after all", "said after all"]


def test_a_crash_of_native_code_says_where_it_was() -> None:
    program = "import os\nfrom edge.host.native import native_stderr_told_once\nwith native_stderr_told_once():\n"
    told = subprocess.run(
        [sys.executable, "-c", program + "    os.abort()"], capture_output=True, text=True, check=False
    )
    assert told.returncode == -signal.SIGABRT
    assert "Fatal Python error: Aborted" in told.stderr
    assert 'File "<string>", line 4 in <module>' in told.stderr
