"""A run becomes the draft of a bundle: convert, measure on held-out pictures, describe."""

from __future__ import annotations

import hashlib
import logging
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from convert.card import write_card
from convert.correction import corrected
from convert.draft import CARD, Draft, GoldenFile, Model, golden_files, open_classifier, with_digests, with_golden
from convert.held_out import HeldOut, Progress, classifier_scorer, network_scorer, score_held_out, silently
from convert.metadata import Described, with_metadata
from convert.network import LOGITS, load_network
from convert.novelty import fit_novelty
from convert.parity import DEFAULT_LIMITS, Limits, compare
from convert.representative import DEFAULT_NUM_PICTURES, choose_representative
from convert.tflite import SCORES, Converted, to_plain_classifier, to_tflite
from convert.writer import digests
from edge.bundle import MODEL, SCHEMA, Input, Manifest, NoveltyFile, Precision
from edge.classifiers.temperature import fit_temperature, negative_log_likelihood
from edge.novelty import CLASS_MEANS, Novelty, encode_class_means
from edge.preprocess import Image, InputSpec, load_picture, to_input
from edge.run import MODEL_FILE, VAL_SPLIT, Run, SplitRow, load_run, load_splits

if TYPE_CHECKING:
    import keras

REPRESENTATIVE = "representative.txt"

# The models that are held against each other, as the card and the report call them.
_KERAS, _PLAIN, _CHOSEN = "network as trained", "float32 TFLite", "this bundle"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ConvertSettings:
    """How to convert. None takes what the run says; `data_root` is where its pictures lie now."""

    precision: Precision = "int8"
    name: str | None = None
    spec: InputSpec | None = None
    data_root: Path | None = None
    num_representative: int = DEFAULT_NUM_PICTURES
    seed: int = 0
    limits: Limits = DEFAULT_LIMITS
    has_plain_classifier: bool = False


@dataclass(frozen=True, slots=True)
class _Source:
    """A run, and all that conversion takes from it."""

    run: Run
    rows: tuple[SplitRow, ...]
    root: Path
    spec: InputSpec
    name: str
    version: str
    representative: tuple[SplitRow, ...]

    def picture(self, row: SplitRow) -> Image:
        """One of the run's pictures as the device would hand it to the network."""
        return to_input(load_picture(self.root / row.path), self.spec)

    def described(self, output_names: Sequence[str], labelled_output: str) -> Described:
        """What other tools read inside the model."""
        description = f"{self.run.backbone}, recipe {self.run.recipe}, seed {self.run.seed}"
        return Described(self.name, description, self.version, self.run.labels, output_names, labelled_output)


def draft_bundle(folder: Path, settings: ConvertSettings, progress: Progress = silently) -> Draft:
    """The bundle of the run in `folder`, in memory: nothing is written but scratch files.

    The same run and settings give the same draft, byte for byte.

    Raises:
        MissingInputError, InvalidDataError: the run is unfinished or does not fit together.
    """
    source = _open(folder, settings)
    network = load_network(folder, source.run, source.spec)
    representative = [source.picture(row) for row in progress(source.representative, "representative pictures")]
    plain = to_tflite(network, source.spec, "float32", representative)
    chosen = to_tflite(network, source.spec, settings.precision, representative)
    if settings.precision == "int8":
        chosen = replace(chosen, model=corrected(plain.model, chosen.model, representative))
    model = _model(source, chosen, settings.precision)
    with tempfile.TemporaryDirectory(prefix="sorter-convert-") as scratch:
        classifier = open_classifier(model, Path(scratch) / "chosen")
        scorers = {
            _KERAS: network_scorer(network),
            _PLAIN: classifier_scorer(open_classifier(_model(source, plain, "float32"), Path(scratch) / "plain")),
            _CHOSEN: classifier_scorer(classifier),
        }
        held_out_rows = [row for row in source.rows if row.split == VAL_SPLIT]
        held_out = score_held_out(source.picture, held_out_rows, source.run.labels, scorers, progress)
        novelty = fit_novelty(classifier, source.picture, source.rows, settings.seed, progress)
        golden = golden_files(classifier)
    temperature = fit_temperature(held_out.logits[_CHOSEN], held_out.label_indices)
    draft = _described(source, model, held_out, golden, novelty, temperature, settings.limits)
    if not settings.has_plain_classifier:
        return draft
    return replace(draft, plain_classifier=_plain_classifier(source, network, settings, representative, temperature))


def _plain_classifier(
    source: _Source,
    network: keras.Model,
    settings: ConvertSettings,
    representative: Sequence[Image],
    temperature: float,
) -> bytes:
    """The same network with scores as its only output, and with the same care."""
    model = to_plain_classifier(network, source.spec, settings.precision, representative, temperature)
    if settings.precision == "int8":
        plain = to_plain_classifier(network, source.spec, "float32", representative, temperature)
        model = corrected(plain, model, representative)
    return with_metadata(model, source.described((SCORES,), SCORES))


def _open(folder: Path, settings: ConvertSettings) -> _Source:
    run, rows = load_run(folder), load_splits(folder)
    return _Source(
        run=run,
        rows=rows,
        root=settings.data_root or Path(run.data.root),
        spec=settings.spec or InputSpec(run.input.height_px, run.input.width_px),
        name=settings.name or _name(run),
        version=hashlib.sha256((folder / MODEL_FILE).read_bytes()).hexdigest()[:12],
        representative=choose_representative(rows, run.labels, settings.num_representative, settings.seed),
    )


def _name(run: Run) -> str:
    """Data folder and backbone, in the alphabet of a bundle's name: `trashnet-lite0`."""
    words = f"{Path(run.data.root).name}-{run.backbone.removeprefix('efficientnet-')}".lower()
    return re.sub(r"[^a-z0-9._-]+", "-", words).strip("-._")[:64] or "model"


def _model(source: _Source, converted: Converted, precision: Precision) -> Model:
    """A converted model with its metadata, and a manifest that says what is known before measuring."""
    content = with_metadata(converted.model, source.described(converted.output_names, LOGITS))
    _log.info("converted to %s: %.2f MB", precision, len(content) / 1e6)
    manifest = Manifest(
        schema=SCHEMA,
        name=source.name,
        labels=source.run.labels,
        precision=precision,
        input=Input(
            height_px=source.spec.height_px,
            width_px=source.spec.width_px,
            mean=converted.expects.mean,
            std=converted.expects.std,
        ),
        outputs=converted.outputs,
        temperature=1.0,
        files=digests({MODEL: content}),
    )
    return Model(content, manifest)


def _described(
    source: _Source,
    model: Model,
    held_out: HeldOut,
    golden: Mapping[str, GoldenFile],
    novelty: Novelty,
    temperature: float,
    limits: Limits,
) -> Draft:
    """The finished draft: temperature, metrics, novelty, golden pictures and card join the model."""
    labels = source.run.labels
    parities = tuple(compare(held_out, _KERAS, name, labels, temperature) for name in (_PLAIN, _CHOSEN))
    losses = parities[-1].broken_limits(limits)
    nll = negative_log_likelihood(held_out.logits[_CHOSEN], held_out.label_indices, temperature)
    metrics = {**parities[-1].metrics(), "nll": round(nll, 5)}
    known = NoveltyFile(class_means=CLASS_MEANS, max_distance=round(novelty.max_distance, 5))
    update = {"temperature": temperature, "metrics": metrics, "novelty": known}
    measured = model.manifest.model_copy(update=update)
    manifest = with_golden(measured, golden)
    files = {
        MODEL: model.content,
        CLASS_MEANS: encode_class_means(novelty.means),
        CARD: write_card(source.run, manifest, parities, losses).encode(),
        REPRESENTATIVE: "".join(f"{row.path}\n" for row in source.representative).encode(),
        **{name: picture.content for name, picture in golden.items()},
    }
    return Draft(with_digests(manifest, files), files, parities, losses)
