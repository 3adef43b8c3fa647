"""A run, and all that conversion takes from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from convert.proof.parity import DEFAULT_LIMITS, Limits
from convert.quantizing.mixed import Wide
from convert.representative import DEFAULT_NUM_PICTURES, choose_representative
from convert.tflite.metadata import Described
from edge.bundle import Precision, bundle_name
from edge.errors import MissingInputError
from edge.preprocess import Image, InputSpec, load_picture, to_input
from edge.run import VAL_SPLIT, Run, SplitRow, load_run, load_splits, model_digest


@dataclass(frozen=True, slots=True)
class ConvertSettings:
    """How to convert. None takes what the run says; `data_root` is where its pictures lie now.

    An int8 model beyond the limits gets its costliest layers in `rescue`, where it says so. One for other tools is
    made on demand, and beyond the limits only with `accepts_loss`.
    """

    precision: Precision = "int8"
    name: str | None = None
    spec: InputSpec | None = None
    data_root: Path | None = None
    num_representative: int = DEFAULT_NUM_PICTURES
    seed: int = 0
    limits: Limits = DEFAULT_LIMITS
    rescue: Wide | None = None
    accepts_loss: bool = False
    has_plain_classifier: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """The run's record, its pictures as the network takes them, and what the bundle will be called."""

    run: Run
    rows: tuple[SplitRow, ...]
    root: Path
    spec: InputSpec
    name: str
    version: str
    representative: tuple[SplitRow, ...]

    @property
    def held_out(self) -> tuple[SplitRow, ...]:
        """The pictures that the model is measured on."""
        return tuple(row for row in self.rows if row.split == VAL_SPLIT)

    def picture(self, row: SplitRow) -> Image:
        """One of the run's pictures as the device would hand it to the network."""
        return to_input(self.photograph(row), self.spec)

    def photograph(self, row: SplitRow) -> Image:
        """One of the run's pictures as it was taken.

        Raises:
            MissingInputError: it is not there any more.
            PictureError: it cannot be decoded.
        """
        try:
            return load_picture(self.root / row.path)
        except MissingInputError:
            raise MissingInputError(
                f"{row.path}, which the run used, is no longer in {self.root}: put it back, or say with --data where"
                " the run's pictures lie now"
            ) from None

    def described(self, output_names: Sequence[str], labelled_output: str) -> Described:
        """What other tools read inside the model."""
        description = f"{self.run.backbone}, recipe {self.run.recipe}, seed {self.run.seed}"
        return Described(self.name, description, self.version, self.run.labels, output_names, labelled_output)


def open_source(folder: Path, settings: ConvertSettings) -> Source:
    """The run in `folder`.

    Raises:
        MissingInputError, InvalidDataError: it is unfinished, or a class has no training picture.
    """
    run, rows = load_run(folder), load_splits(folder)
    return Source(
        run=run,
        rows=rows,
        root=settings.data_root or Path(run.data.root),
        spec=settings.spec or InputSpec(run.input.height_px, run.input.width_px),
        name=settings.name or _name(run),
        version=model_digest(folder)[:12],
        representative=choose_representative(rows, run.labels, settings.num_representative, settings.seed),
    )


def _name(run: Run) -> str:
    """Data folder and backbone: `trashnet-lite0`."""
    return bundle_name(f"{Path(run.data.root).name}-{run.backbone.removeprefix('efficientnet-')}")
