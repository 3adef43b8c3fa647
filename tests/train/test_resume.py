"""Real runs in processes of their own, killed with SIGKILL, and what `--resume` makes of what they left."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from edge.errors import InvalidDataError, MissingInputError, TryAgainError, UsageError
from edge.run import load_run
from train.fitting.checkpoint import CHECKPOINT_FILE, Checkpoint, load_checkpoint, save_checkpoint
from train.fitting.claim import claimed
from train.fitting.progress import Epoch, Progress, Watch
from train.fitting.threads import compute_on, cpu_threads, threads_of
from train.recipes import load_recipe

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
)

# A small network with all that has state: dropout, Adam's moments, a weight average, best weights, two phases.
RECIPE = """
[network]
backbone = "cnn"
train_px = 32
input_px = 32
pool = "flatten"
hidden = 8
dropout = 0.5
[data]
val_share = 0.25
split = "random"
[fit]
batch_size = 12
optimizer = "adamw"
weight_decay = 0.01
average_momentum = 0.9
keep = "best"
[[phases]]
epochs = 2
trainable = "all"
learning_rate = 3e-3
schedule = "cosine"
[[phases]]
epochs = 2
trainable = "all"
learning_rate = 1e-3
schedule = "plateau"
plateau_patience = 1
[augment]
rotation_deg = 90.0
exposure_stops = 0.3
"""

# Dies without a word in the middle of an epoch.
RUN = """
import os, signal, sys
from pathlib import Path
from train.fitting.fit import train
from train.fitting.progress import Watch
from train.recipes import load_recipe
data, out, recipe, last_step = sys.argv[1:]
num_done = 0
def on_step(step, total):
    global num_done
    num_done += 1
    if num_done == int(last_step):
        os.kill(os.getpid(), signal.SIGKILL)
train(Path(data), Path(out), load_recipe(recipe), recipe_name="small", weights="none", seed=5, watch=Watch(on_step))
"""


class Stopped(Exception):  # noqa: N818, nothing is wrong
    """What stands for a kill between two epochs: the file system is as it would be."""


def go_on(data: Path, out: Path, recipe: Path, *, stop_after: int = 0) -> None:
    from train.fitting.fit import train  # noqa: PLC0415, seconds to import

    def on_epoch(progress: Progress) -> None:
        if len(progress.history) == stop_after:
            raise Stopped

    settings = load_recipe(str(recipe))
    train(data, out, settings, recipe_name="small", weights="none", seed=5, resume=True, watch=Watch(on_epoch=on_epoch))


def assert_same_weights(*folders: Path) -> None:
    import keras  # noqa: PLC0415, seconds to import

    resumed, expected = (keras.models.load_model(folder / "model.keras").get_weights() for folder in folders)
    for one, other in zip(resumed, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.timeout(600)
def test_a_run_killed_again_and_again_ends_with_the_weights_of_one_that_was_not(shapes: Path, tmp_path: Path) -> None:
    recipe, whole, killed = tmp_path / "small.toml", tmp_path / "whole", tmp_path / "killed"
    recipe.write_text(RECIPE)
    arguments = [str(item) for item in (shapes, killed, recipe, 5)]  # 3 steps an epoch: within the second one
    run = subprocess.run([sys.executable, "-c", RUN, *arguments], stderr=subprocess.DEVNULL, check=False)
    assert run.returncode == -signal.SIGKILL
    assert (killed / CHECKPOINT_FILE).exists()
    for num_epochs in (2, 3):  # at the end of a phase, and within the next
        with pytest.raises(Stopped):
            go_on(shapes, killed, recipe, stop_after=num_epochs)
    go_on(shapes, killed, recipe)
    go_on(shapes, whole, recipe)
    assert_same_weights(killed, whole)
    names, expected_names = ({path.name for path in folder.iterdir()} for folder in (killed, whole))
    assert names == expected_names
    assert (killed / "predictions.csv").read_text() == (whole / "predictions.csv").read_text()


def test_an_unfinished_run_is_not_overwritten(shapes: Path, tmp_path: Path) -> None:
    from train.fitting.fit import train  # noqa: PLC0415, seconds to import

    save_checkpoint(checkpoint(), tmp_path)
    with pytest.raises(UsageError, match="holds a run that was not finished: --resume goes on with it"):
        train(shapes, tmp_path, load_recipe("cnn"), recipe_name="cnn")


def test_two_runs_never_write_into_one_directory(shapes: Path, tmp_path: Path) -> None:
    from train.fitting.fit import train  # noqa: PLC0415, seconds to import

    (tmp_path / "small.toml").write_text(RECIPE)
    recipe, out = load_recipe(str(tmp_path / "small.toml"), ["phases.*.epochs=1"]), tmp_path / "run"

    def on_epoch(_: Progress) -> None:
        with pytest.raises(TryAgainError, match=r"another sorter is training into .*run: wait until it is done"):
            train(shapes, out, recipe, recipe_name="small", weights="none", resume=True)
        raise Stopped

    with pytest.raises(Stopped):
        train(shapes, out, recipe, recipe_name="small", weights="none", watch=Watch(on_epoch=on_epoch))
    with claimed(out):  # what was stopped holds it no more
        pass


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_directory_is_held_by_one_process_until_that_ends(tmp_path: Path, *, is_killed: bool) -> None:
    program = "import sys\nfrom pathlib import Path\nfrom train.fitting.claim import claimed\n"
    program += "with claimed(Path(sys.argv[1])):\n    print('held', flush=True)\n    sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdin=-1, stdout=-1, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(TryAgainError), claimed(tmp_path):
            pass
        if is_killed:
            holder.kill()
    with claimed(tmp_path):
        assert not list(tmp_path.iterdir())


def test_weights_that_are_gone_are_said_to_be_gone(shapes: Path, tmp_path: Path) -> None:
    from train.fitting.fit import train  # noqa: PLC0415, seconds to import

    save_checkpoint(checkpoint(), tmp_path)
    weights = str(tmp_path / "gone.keras")
    with pytest.raises(MissingInputError, match=r"no weights at .*gone\.keras"):
        train(shapes, tmp_path, load_recipe("cnn"), recipe_name="cnn", weights=weights, resume=True)


def checkpoint() -> Checkpoint:
    epoch = Epoch(1, 1, 0.5, 0.9, 0.4, 0.8, 1e-3, 2.0)
    return Checkpoint("key", 3, (epoch,), [np.arange(6.0).reshape(2, 3)], [np.array(3)], [], 7)


def test_a_checkpoint_comes_back_as_it_was(tmp_path: Path) -> None:
    save_checkpoint(checkpoint(), tmp_path)
    found = load_checkpoint(tmp_path, "key")
    assert found is not None
    assert (found.history, found.num_averaged, found.average, found.best) == (checkpoint().history, 7, [], [])
    np.testing.assert_array_equal(found.network[0], np.arange(6.0).reshape(2, 3))


@contextmanager
def little_room(size_bytes: int) -> Iterator[None]:
    """Limits how large a file may become, as a disk does that fills up; pytest's own output must be out of it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path: Path) -> None:
    save_checkpoint(checkpoint(), tmp_path)
    before = (tmp_path / CHECKPOINT_FILE).read_bytes()
    with pytest.raises(OSError, match="too large"), little_room(300):
        save_checkpoint(checkpoint(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT_FILE]
    assert (tmp_path / CHECKPOINT_FILE).read_bytes() == before


def test_no_checkpoint_is_none(tmp_path: Path) -> None:
    assert load_checkpoint(tmp_path, "key") is None


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    save_checkpoint(checkpoint(), tmp_path)
    with pytest.raises(UsageError, match="same pictures, recipe, overrides, weights, teachers, seed and --threads"):
        load_checkpoint(tmp_path, "another")


@pytest.mark.parametrize("kept_bytes", [0, 100])
def test_a_damaged_checkpoint_says_what_to_do(tmp_path: Path, kept_bytes: int) -> None:
    save_checkpoint(checkpoint(), tmp_path)
    path = tmp_path / CHECKPOINT_FILE
    path.write_bytes(path.read_bytes()[:kept_bytes])
    with pytest.raises(InvalidDataError, match=r"is damaged .* remove it, and the run begins again"):
        load_checkpoint(tmp_path, "key")


def test_a_run_goes_on_with_as_many_threads_as_it_began_with(shapes: Path, tmp_path: Path) -> None:
    """Killed on one core and resumed on all, by the command line: every sum is divided as it was."""
    recipe, killed, whole = tmp_path / "small.toml", tmp_path / "killed", tmp_path / "whole"
    recipe.write_text(RECIPE.replace("epochs = 2", "epochs = 1"))
    on_one_core = "import os\nos.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
    arguments = [str(item) for item in (shapes, killed, recipe, 5)]  # 3 steps an epoch: within the second one
    run = subprocess.run([sys.executable, "-c", on_one_core + RUN, *arguments], stderr=-3, check=False)
    assert run.returncode == -signal.SIGKILL
    assert threads_of(killed) == 1
    sorter = [sys.executable, "-c", "from edge.cli import main; main()", "train", str(shapes), "--quiet", "--no-report"]
    same = ["--recipe", str(recipe), "--weights", "none", "--seed", "5"]
    subprocess.run([*sorter, *same, "--out", str(killed), "--resume"], check=True)
    subprocess.run([*sorter, *same, "--out", str(whole), "--threads", "1"], check=True)
    assert [load_run(folder).num_threads for folder in (killed, whole)] == [1, 1]
    assert_same_weights(killed, whole)


@pytest.mark.parametrize("wanted", ["", "0", "many"])
def test_without_a_number_it_is_one_thread_a_core(monkeypatch: pytest.MonkeyPatch, wanted: str) -> None:
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", wanted)
    assert cpu_threads() == len(os.sched_getaffinity(0))
    compute_on(7)
    assert cpu_threads() == 7


def test_the_fold_that_was_stopped_says_how_many_threads(tmp_path: Path) -> None:
    assert threads_of(tmp_path) is None
    (tmp_path / "fold1").mkdir()
    (tmp_path / "fold2").mkdir()
    save_checkpoint(checkpoint(), tmp_path / "fold2")
    assert threads_of(tmp_path) == 3


@pytest.mark.minutes
def test_the_command_line_resumes_a_killed_run_of_the_light_recipe(shapes: Path, tmp_path: Path) -> None:
    """The manual's two lines, `--recipe … --set network.width=0.35` and `--out … --resume`, on small pictures."""
    out = tmp_path / "mine"
    sorter = [sys.executable, "-c", "from edge.cli import main; main()", "train", str(shapes), "--out", str(out)]
    small = [f"--set=network.{side}=32" for side in ("train_px", "input_px")]
    recipe = ["--recipe", "mobilenetv2", "--set", "network.width=0.35", "--weights", "none", "--epochs", "2", *small]
    with subprocess.Popen([*sorter, *recipe, "--no-report"], stderr=subprocess.DEVNULL) as killed:
        while not (out / CHECKPOINT_FILE).exists():
            assert killed.poll() is None
            time.sleep(0.02)
        killed.kill()
    done = subprocess.run([*sorter, *recipe, "--resume", "--no-report"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (out / "model.keras").is_file()
    assert not (out / CHECKPOINT_FILE).exists()


def test_what_a_kill_left_half_written_goes_with_the_next_run(tmp_path: Path) -> None:
    program = "import os, signal, sys\nfrom pathlib import Path\nfrom edge.files.whole_file import whole_file\n"
    program += "with whole_file(Path(sys.argv[1])) as unfinished:\n    unfinished.write_bytes(bytes(9))\n"
    program += "    os.kill(os.getpid(), signal.SIGKILL)"
    path = tmp_path / CHECKPOINT_FILE
    assert subprocess.run([sys.executable, "-c", program, path], check=False).returncode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 1
    with claimed(tmp_path):
        assert not list(tmp_path.iterdir())
