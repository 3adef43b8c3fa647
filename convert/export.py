"""A run becomes the draft of a bundle: convert, measure on held-out pictures, describe."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from convert.bundle.card import write_card
from convert.bundle.draft import CARD, Draft, Model, golden_files, open_classifier, with_digests, with_golden
from convert.bundle.writer import digests
from convert.network import LOGITS, load_network
from convert.proof.held_out import HeldOut, Progress, classifier_scorer, network_scorer, score_held_out, silently
from convert.proof.novelty import fit_novelty
from convert.proof.parity import Parity, compare
from convert.quantizing.correction import open_correction
from convert.quantizing.rescue import Keeper, open_keeper, rescue_steps
from convert.quantizing.sensitivity import LayerCost, layer_costs
from convert.source import ConvertSettings, Source, open_source
from convert.tflite.converter import SCORES, Converted, read_outputs, to_plain_classifier, to_tflite
from convert.tflite.metadata import with_metadata
from convert.tflite.rescaling import inside_rescaling
from edge.bundle import MODEL, SCHEMA, Input, Manifest, NoveltyFile, Precision
from edge.classifiers.litert import LiteRTClassifier
from edge.classifiers.temperature import fit_temperature, negative_log_likelihood
from edge.deciding.novelty import CLASS_MEANS, PROTOTYPES, encode_vectors
from edge.preprocess import Image

if TYPE_CHECKING:
    import keras

REPRESENTATIVE = "representative.txt"

# The models that are held against each other, as the card and the report call them.
_KERAS, _PLAIN, _CHOSEN = "network as trained", "float32 TFLite", "this bundle"

_SMALLEST_DISTANCE = 1e-5  # a manifest's distance is above zero

_log = logging.getLogger(__name__)


def draft_bundle(folder: Path, settings: ConvertSettings, progress: Progress = silently) -> Draft:
    """The bundle of the run in `folder`, in memory: nothing is written but scratch files.

    The same run and settings give the same draft, byte for byte.

    Raises:
        MissingInputError, InvalidDataError: the run is unfinished or does not fit together.
        MissingLibraryError: the rescue is to be in int16, and litert-quantizer is not installed.
    """
    source = open_source(folder, settings)
    network = load_network(folder, source.run, source.spec)
    representative = [source.picture(row) for row in progress(source.representative, "representative pictures")]
    plain = to_tflite(network, source.spec, "float32", representative)
    chosen = to_tflite(network, source.spec, settings.precision, representative)
    correction = None
    if settings.precision == "int8":
        inner = inside_rescaling(network)
        twin = to_tflite(inner.network, source.spec, "float32", ()).model
        correction = open_correction(twin, chosen.model, representative, inner.expects, progress)
        chosen = replace(chosen, model=correction.of(chosen.model))
    gate = _Gate(source, settings, progress, _score_references(source, network, plain, progress))
    measured, costs = gate.measure(chosen), tuple[LayerCost, ...]()
    if measured.losses and correction is not None:
        costs = layer_costs(correction.plain, chosen.model, chosen.outputs.logits, representative, progress)
        if settings.rescue is not None:
            keep = open_keeper(settings.rescue, correction, chosen.model, representative)
            measured = _rescued(gate, measured, correction.plain, costs, keep)
    draft = replace(gate.draft(measured), costs=costs)
    if not settings.has_plain_classifier or (draft.losses and not settings.accepts_loss):
        return draft
    return replace(draft, plain_classifier=_plain_classifier(gate, network, representative, draft))


@dataclass(frozen=True, slots=True, eq=False)
class _Measured:
    """A converted model, what became of its answers, and the layers of it that are not int8."""

    converted: Converted
    model: Model
    held_out: HeldOut
    temperature: float
    parities: tuple[Parity, ...]
    losses: tuple[str, ...]
    kept: tuple[LayerCost, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Gate:
    """What every candidate is held against: the same pictures, and what the references say of them."""

    source: Source
    settings: ConvertSettings
    progress: Progress
    references: HeldOut

    def measure(self, converted: Converted, kept: Sequence[LayerCost] = ()) -> _Measured:
        """What the model says of the held-out pictures, and which limits it breaks."""
        source, labels = self.source, self.source.run.labels
        model = _model(source, converted, self.settings.precision)
        with _opened(model) as classifier:
            scorers = {_CHOSEN: classifier_scorer(classifier)}
            scored = score_held_out(source.picture, source.held_out, labels, scorers, self.progress)
        held_out = replace(scored, logits={**self.references.logits, **scored.logits})
        temperature = fit_temperature(held_out.logits[_CHOSEN], held_out.label_indices)
        parities = tuple(compare(held_out, _KERAS, name, labels, temperature) for name in (_PLAIN, _CHOSEN))
        losses = parities[-1].broken_limits(self.settings.limits)
        return _Measured(converted, model, held_out, temperature, parities, losses, tuple(kept))

    def draft(self, measured: _Measured) -> Draft:
        """The finished draft: temperature, metrics, novelty, golden pictures and card join the model."""
        source, manifest = self.source, measured.model.manifest
        with _opened(measured.model) as classifier:
            novelty = fit_novelty(classifier, source.photograph, source.rows, self.settings.seed, self.progress)
            golden = golden_files(classifier)
        # A model that int8 has ruined answers all alike; the gate tells so.
        max_distance = max(round(novelty.max_distance, 5), _SMALLEST_DISTANCE)
        update = {
            "temperature": measured.temperature,
            "metrics": _metrics(measured),
            "novelty": NoveltyFile(
                class_means=CLASS_MEANS,
                prototypes=PROTOTYPES,
                max_distance=max_distance,
                same_likeness=_rounded(novelty.same_likeness),
            ),
        }
        manifest = with_golden(manifest.model_copy(update=update), golden)
        kept_in = self.settings.rescue if measured.kept else None
        card = write_card(source.run, manifest, measured.parities, measured.losses, _names(measured.kept), kept_in)
        files = {
            MODEL: measured.model.content,
            CLASS_MEANS: encode_vectors(novelty.means),
            PROTOTYPES: encode_vectors(novelty.prototypes),
            CARD: card.encode(),
            REPRESENTATIVE: "".join(f"{row.path}\n" for row in source.representative).encode(),
            **{name: picture.content for name, picture in golden.items()},
        }
        manifest = with_digests(manifest, files)
        return Draft(manifest, files, measured.parities, measured.losses, kept=measured.kept, kept_in=kept_in)


def _metrics(measured: _Measured) -> dict[str, float]:
    held_out = measured.held_out
    nll = negative_log_likelihood(held_out.logits[_CHOSEN], held_out.label_indices, measured.temperature)
    return {**measured.parities[-1].metrics(), "nll": round(nll, 5)}


def _rounded(likeness: float | None) -> float | None:
    return None if likeness is None else round(likeness, 4)


def _names(kept: Sequence[LayerCost]) -> list[str]:
    return [cost.name for cost in kept]


@contextmanager
def _opened(model: Model) -> Iterator[LiteRTClassifier]:
    with tempfile.TemporaryDirectory(prefix="sorter-convert-") as scratch:
        yield open_classifier(model, Path(scratch) / "model")


def _score_references(source: Source, network: keras.Model, plain: Converted, progress: Progress) -> HeldOut:
    """What the network as trained and its float twin say of the held-out pictures."""
    with _opened(_model(source, plain, "float32")) as twin:
        scorers = {_KERAS: network_scorer(network), _PLAIN: classifier_scorer(twin)}
        return score_held_out(source.picture, source.held_out, source.run.labels, scorers, progress)


def _rescued(gate: _Gate, refused: _Measured, plain: bytes, costs: Sequence[LayerCost], keep: Keeper) -> _Measured:
    """The model with the fewest layers out of int8 that keeps the limits; the refused one where none does."""
    expects = refused.converted.expects
    for kept in rescue_steps(plain, costs):
        _log.info("trying again without int8 in %s", ", ".join(_names(kept)))
        model = keep({cost.place for cost in kept})
        measured = gate.measure(Converted(model, read_outputs(model, "int8", expects), expects), kept)
        _log.info("%s", "; ".join(measured.losses) or "within the limits")
        if not measured.losses:
            return measured
    return refused


def _plain_classifier(gate: _Gate, network: keras.Model, representative: Sequence[Image], draft: Draft) -> bytes:
    """The same network with scores as its only output, and with the same care."""
    source, settings = gate.source, gate.settings

    def convert(network: keras.Model, precision: Precision) -> bytes:
        temperature = draft.manifest.temperature
        return to_plain_classifier(network, source.spec, precision, representative, temperature)

    model = convert(network, settings.precision)
    if settings.precision == "int8":
        inner = inside_rescaling(network)
        twin = convert(inner.network, "float32")
        correction = open_correction(twin, model, representative, inner.expects, gate.progress)
        model = correction.of(model)
        if draft.kept_in is not None:
            keep = open_keeper(draft.kept_in, correction, model, representative, has_byte_output=True)
            model = keep({cost.place for cost in draft.kept})
    return with_metadata(model, source.described((SCORES,), SCORES))


def _model(source: Source, converted: Converted, precision: Precision) -> Model:
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
