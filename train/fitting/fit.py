"""Train a network on a data folder and write the run directory."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Self

import keras

from edge.data_folder import Dataset, fingerprint, in_words, leave_out_unreadable, scan
from edge.errors import (
    AccessDeniedError,
    ConfigError,
    DatasetError,
    MissingInputError,
    SorterError,
    StorageError,
    UsageError,
    translate,
)
from edge.listing import some_of
from edge.run import RUN_FILE, SPLITS_FILE, RunFold, TeacherRun, load_run, load_splits
from train.fitting.checkpoint import CHECKPOINT_FILE, load_checkpoint, run_key
from train.fitting.claim import check_free, claimed
from train.fitting.finish import finish
from train.fitting.phases import PhaseFitter, fit_probe
from train.fitting.progress import NOBODY, Watch
from train.fitting.run_directory import Origin, write_splits
from train.fitting.threads import cpu_threads
from train.measuring.metrics import Evaluation
from train.networks.devices import memory_errors, mixed_precision, share_batches
from train.networks.model import build_model, is_pretrained, load_weights, set_trainable
from train.networks.teacher import identify, load_teacher
from train.pictures.ahead import Reading
from train.pictures.likeness import with_found_groups
from train.pictures.material import load_material
from train.recipes import Recipe
from train.splits import Fold, check_unseen, leak, rarely_shown, with_splits

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Start:
    """What a run starts from, besides its pictures and its recipe; `digest` is that of the file of `weights`.

    `num_threads` compute it.
    """

    weights: str = "imagenet"
    seed: int = 0
    fold: Fold | None = None
    teachers: tuple[TeacherRun, ...] = ()
    digest: str | None = None
    num_threads: int = field(default_factory=cpu_threads)

    @classmethod
    def of(cls, weights: str, seed: int, fold: Fold | None, teachers: Sequence[Path]) -> Self:
        """The same, with what its files hold.

        Raises:
            MissingInputError, InvalidDataError: a teacher is no finished run.
            MissingInputError, AccessDeniedError, StorageError: the file of weights is not there, or cannot be read.
        """
        digest = None if weights in {"imagenet", "none"} else _digest(Path(weights))
        named = weights if digest is None else str(Path(weights).resolve())
        return cls(named, seed, fold, identify(teachers), digest)

    def key(self, recipe: Recipe, dataset: Dataset) -> str:
        """A digest of all that decides a run: one that was stopped goes on under the same key only."""
        files = " ".join(filter(None, (*(teacher.sha256 for teacher in self.teachers), self.digest)))
        numbers = repr((self.weights, self.seed, self.fold, self.num_threads))
        return run_key(recipe.model_dump_json(), numbers, files, fingerprint(dataset))

    def check_same(self, folder: Path, recipe: Recipe, dataset: Dataset) -> None:
        """Refuse the finished run in `folder` where it is not the one that would be made now.

        Raises:
            UsageError: it belongs to another run, or does not say which fold it held out.
            MissingInputError, InvalidDataError: it is no finished run.
        """
        run, origin = load_run(folder), self.origin(recipe, "", 0.0)
        if run.fold is None and origin.fold is not None:
            raise UsageError(
                f"{folder} does not say which fold it held out, as runs of an older sorter do not: remove it, and that"
                " fold is trained again, or choose another --out"
            )
        pairs = {
            "fold": (run.fold, origin.fold),
            "seed": (run.seed, origin.seed),
            "recipe": (run.settings, recipe.model_dump(mode="json")),
            "weights": ((run.weights, run.weights_sha256), (origin.weights, origin.weights_sha256)),
            "teachers": (run.teachers, origin.teachers),
            "pictures": (run.data.sha256, fingerprint(dataset)),
        }
        for name, (found, expected) in pairs.items():
            if found != expected:
                raise UsageError(
                    f"{folder} belongs to another run, not of the same {name}: --resume needs the same pictures,"
                    " recipe, overrides, weights, seed and folds; give them again, or choose another --out"
                )

    def origin(self, recipe: Recipe, recipe_name: str, training_s: float) -> Origin:
        """What the run directory keeps of it; a network that can take no such weights started from none."""
        has_weights = is_pretrained(recipe, self.weights)
        return Origin(
            recipe_name=recipe_name,
            weights=self.weights if has_weights else "none",
            weights_sha256=self.digest if has_weights else None,
            teachers=self.teachers,
            seed=self.seed,
            fold=None if self.fold is None else RunFold(number=self.fold.number, num_folds=self.fold.num_folds),
            num_threads=self.num_threads,
            training_s=training_s,
        )


@memory_errors()
def train(
    root: Path,
    out: Path,
    recipe: Recipe,
    *,
    recipe_name: str,
    weights: str = "imagenet",
    teachers: Sequence[Path] = (),
    seed: int = 0,
    fold: Fold | None = None,
    pictures: Dataset | None = None,
    resume: bool = False,
    watch: Watch = NOBODY,
    progress: Reading = iter,
) -> Evaluation:
    """Train on the train split of `root`, write the run directory `out`, and return the metrics on the val split.

    `weights` is `imagenet`, `none`, or a file as `train.networks.model.load_weights` takes it; `teachers` are finished
    runs whose answers are learned beside the labels. A CPU run with the same seed, data, recipe and versions gives the
    same weights on as many threads of a processor of the same kind (see `train.fitting.threads`), `resume`d after a
    kill or not. With a `fold` that part of the data is held out. `pictures` are those of `root` as `find_pictures`
    gives them, where they were looked at before; `progress` passes on those that are read. Blocks until it is done.

    Raises:
        UsageError, TryAgainError: `out` holds a finished run, one to `resume`, or one that is under way.
        DatasetError, MissingInputError: the data cannot be trained on (see `edge.data_folder`).
        MissingLibraryError, UnavailableError, InvalidDataError: the weights or teachers cannot be had, or do not fit.
        AccessDeniedError, StorageError: the run directory cannot be written.
        OutOfMemoryError: the network, or a batch of it, is too large for this computer or its GPU.
        ConfigError: a setting does not fit the network, or the loss has become no number.
    """
    start = Start.of(weights, seed, fold, teachers)
    check_target(out, resume=resume)
    num_devices = _shared(recipe)
    keras.utils.set_random_seed(seed % 2**32)
    # Before the pictures, which take minutes: a wrong name, or weights that cannot be had, is said at once.
    model, has_head = _network(recipe, len((pictures or scan(root)).labels), weights)
    dataset = _split(pictures or find_pictures(root, recipe, progress), recipe, start)
    _warn_of_weights_that_saw(dataset, weights)
    key = start.key(recipe, dataset)
    teacher = load_teacher(teachers, dataset, recipe)
    with storage_errors(out), claimed(out):
        _check_unfinished(out, resume=resume)  # another run may have come and gone meanwhile
        checkpoint = load_checkpoint(out, key)
        write_splits(out, dataset)
        material = load_material(dataset, recipe, seed, out, num_devices, teacher, progress)
        if recipe.head is not None and not has_head and checkpoint is None:
            _log.info("head fitted: training accuracy %.3f", fit_probe(model, material, recipe, progress))
        fitter = PhaseFitter(
            model,
            material,
            is_pretrained=is_pretrained(recipe, weights),
            out=out,
            key=key,
            num_threads=start.num_threads,
            watch=watch,
        )
        shipped = fitter.run(checkpoint)
        origin = start.origin(recipe, recipe_name, sum(epoch.epoch_s for epoch in fitter.history))
        return finish(out, shipped, dataset, material.held_out, recipe, origin)


def _digest(path: Path) -> str:
    if not path.is_file():
        raise MissingInputError(f"no weights at {path}: expected imagenet, none, or a file of weights")
    try:
        return sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise translate(error) from error


def _network(recipe: Recipe, num_labels: int, weights: str) -> tuple[keras.Model, bool]:
    """The network as it starts, and whether its head is filled; each phase finds the layers that it trains."""
    with mixed_precision():
        model = build_model(recipe, num_labels, recipe.network.train_px)
    has_head = load_weights(model, recipe, weights)
    for phase in recipe.phases:
        set_trainable(model, phase.trainable)
    return model, has_head


def _shared(recipe: Recipe) -> int:
    """The number of devices that share each batch."""
    num_devices = share_batches()
    if recipe.fit.batch_size % num_devices:
        raise ConfigError(f"fit.batch_size: expected a multiple of {num_devices} GPUs, found {recipe.fit.batch_size}")
    return num_devices


def find_pictures(root: Path, recipe: Recipe, progress: Reading = iter) -> Dataset:
    """The readable pictures of `root`, in no split yet; what is left out is logged as a warning.

    Raises:
        DatasetError, MissingInputError: there is nothing to train on (see `edge.data_folder`).
    """
    dataset = leave_out_unreadable(scan(root), progress)
    for line in in_words(dataset.left_out):
        _log.warning("left out: %s", line)
    return with_found_groups(dataset, recipe.data, progress)


def _split(dataset: Dataset, recipe: Recipe, start: Start) -> Dataset:
    """Each picture in its split; what leaks, and what is too rare, is logged as a warning."""
    dataset = with_splits(dataset, recipe.data, start.seed, start.fold)
    if recipe.data.split == "random":
        _log.warning(
            "random split: %.0f %% of the held-out pictures show an object, or a look-alike, that training sees too;"
            " expect the accuracy to be 2 to 5 points too high (data.split=grouped avoids it)",
            100 * leak(dataset),
        )
    if rare := rarely_shown(dataset):
        _log.warning(
            "few pictures to learn from: %s; what is so rare may never be answered, however high the accuracy is:"
            " add some, or give it more weight (--set data.class_weights=balanced)",
            some_of(rare),
        )
    return dataset


def _warn_of_weights_that_saw(dataset: Dataset, weights: str) -> None:
    folder = Path(weights).parent
    if not weights.endswith(".keras") or not (folder / SPLITS_FILE).exists():
        return
    try:
        check_unseen(dataset.rows, folder, load_splits(folder))
    except DatasetError as error:
        _log.warning("the figures of this run will be too high: %s", error)


def check_target(out: Path, *, resume: bool) -> None:
    """Refuse a directory that a run cannot go into, before any work is done for it.

    Raises:
        UsageError: it holds a finished run, or one that was not finished without `resume`.
        TryAgainError: another process is training into it.
    """
    with storage_errors(out):
        check_free(out)
    _check_unfinished(out, resume=resume)


def _check_unfinished(out: Path, *, resume: bool) -> None:
    if (out / RUN_FILE).exists():
        if resume:  # killed while its report was written, as a run of minutes well may be
            again = f"sorter report {shlex.quote(str(out))}"
            raise UsageError(f"{out} already holds a run, and it is finished: `{again}` writes its report")
        raise UsageError(f"{out} already holds a run: choose another --out, or remove it")
    if (out / CHECKPOINT_FILE).exists() and not resume:
        raise UsageError(
            f"{out} holds a run that was not finished: --resume goes on with it; else choose another --out"
        )


@contextmanager
def storage_errors(out: Path) -> Iterator[None]:
    """What the system says of the run directory `out` becomes an AccessDeniedError or a StorageError."""
    try:
        yield
    except SorterError:
        raise
    except PermissionError as error:
        raise AccessDeniedError(
            f"the run directory {out} may not be written by this user: choose another --out"
        ) from error
    except OSError as error:
        raise StorageError(
            f"the run directory {out} cannot be written: {error.strerror}; when it can, --resume goes on from there"
        ) from error
