"""Real runs in processes of their own, killed with SIGKILL, and what `--resume` makes of what they left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edge.errors import InvalidDataError, UsageError
from train.checkpoint import CHECKPOINT_FILE, Checkpoint, load_checkpoint, save_checkpoint
from train.progress import Epoch

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

# Dies without a word when it is told to: after so many epochs, or in the middle of an epoch.
RUN = """
import os, signal, sys
from pathlib import Path
from train.fit import train
from train.recipes import load_recipe
data, out, recipe, epochs, steps = sys.argv[1:]
def die(): os.kill(os.getpid(), signal.SIGKILL)
done = [0]
def on_epoch(progress):
    if len(progress.history) == int(epochs): die()
def on_step(step, total):
    done[0] += 1
    if done[0] == int(steps): die()
train(Path(data), Path(out), load_recipe(recipe), recipe_name="small", weights="none", seed=5, resume=True,
      on_epoch=on_epoch, on_step=on_step)
"""


def run(data: Path, out: Path, recipe: Path, *, epochs: int = 0, steps: int = 0) -> int:
    """The exit status of a run that dies after so many epochs or steps; 0 means it does not."""
    arguments = [str(item) for item in (data, out, recipe, epochs, steps)]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": "-1"}
    command = [sys.executable, "-c", RUN, *arguments]
    return subprocess.run(command, env=environment, stderr=subprocess.DEVNULL, check=False).returncode


@pytest.mark.timeout(600)
def test_a_run_killed_again_and_again_ends_with_the_weights_of_one_that_was_not(shapes: Path, tmp_path: Path) -> None:
    import keras  # noqa: PLC0415, seconds to import

    recipe = tmp_path / "small.toml"
    recipe.write_text(RECIPE)
    assert run(shapes, tmp_path / "whole", recipe) == 0
    killed = tmp_path / "killed"
    # Within the second epoch (3 steps each), at the end of a phase, and within the last epoch.
    for death in ({"steps": 5}, {"epochs": 2}, {"steps": 4}):
        assert run(shapes, killed, recipe, **death) == -signal.SIGKILL
        assert (killed / CHECKPOINT_FILE).exists()
    assert run(shapes, killed, recipe) == 0
    whole, resumed = (keras.models.load_model(folder / "model.keras") for folder in (tmp_path / "whole", killed))
    for one, other in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert sorted(path.name for path in killed.iterdir()) == sorted(
        path.name for path in (tmp_path / "whole").iterdir()
    )
    assert (killed / "predictions.csv").read_text() == (tmp_path / "whole" / "predictions.csv").read_text()


def checkpoint() -> Checkpoint:
    epoch = Epoch(1, 1, 0.5, 0.9, 0.4, 0.8, 1e-3, 2.0)
    return Checkpoint("key", (epoch,), [np.arange(6.0).reshape(2, 3)], [np.array(3)], [], 7)


def test_a_checkpoint_comes_back_as_it_was(tmp_path: Path) -> None:
    save_checkpoint(checkpoint(), tmp_path)
    found = load_checkpoint(tmp_path, "key")
    assert found is not None
    assert (found.history, found.num_averaged, found.average, found.best) == (checkpoint().history, 7, [], [])
    np.testing.assert_array_equal(found.network[0], np.arange(6.0).reshape(2, 3))


def test_no_checkpoint_is_none(tmp_path: Path) -> None:
    assert load_checkpoint(tmp_path, "key") is None


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    save_checkpoint(checkpoint(), tmp_path)
    with pytest.raises(UsageError, match="needs the same pictures, recipe, overrides, weights and seed"):
        load_checkpoint(tmp_path, "another")


@pytest.mark.parametrize("kept_bytes", [0, 100])
def test_a_damaged_checkpoint_says_what_to_do(tmp_path: Path, kept_bytes: int) -> None:
    save_checkpoint(checkpoint(), tmp_path)
    path = tmp_path / CHECKPOINT_FILE
    path.write_bytes(path.read_bytes()[:kept_bytes])
    with pytest.raises(InvalidDataError, match=r"is damaged .* remove it, and the run begins again"):
        load_checkpoint(tmp_path, "key")
