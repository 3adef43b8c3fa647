"""How many threads of the CPU compute: sums are divided between them, so that their number decides a run's last digits.

TensorFlow takes one for each core that the process may use, or as many as an environment variable says, which it
reads once, when it first computes (`NumIntraOpThreadsFromEnvironment` in its common_runtime/process_util.cc).
"""

from __future__ import annotations

import os
from pathlib import Path

from edge.run import FOLD_FOLDER
from train.fitting.checkpoint import CHECKPOINT_FILE, recorded_threads

_VARIABLE = "TF_NUM_INTRAOP_THREADS"


def cpu_threads() -> int:
    """The threads that compute in this process, once anything does."""
    wanted = os.environ.get(_VARIABLE, "")
    return int(wanted) if wanted.isdecimal() and int(wanted) else len(os.sched_getaffinity(0))


def compute_on(num_threads: int) -> None:
    """Compute on so many threads, from the first sum of this process on: later it is too late."""
    os.environ[_VARIABLE] = str(num_threads)


def threads_of(out: Path) -> int | None:
    """How many threads computed the run that was stopped in `out`, or in a fold there; None where there is none.

    Raises:
        InvalidDataError: its checkpoint cannot be read.
    """
    stopped = (folder for folder in (out, *out.glob(FOLD_FOLDER.format("*"))) if (folder / CHECKPOINT_FILE).is_file())
    return next(map(recorded_threads, stopped), None)
