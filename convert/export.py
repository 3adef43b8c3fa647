"""A run becomes the draft of a bundle: convert, measure on held-out pictures, describe."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from convert.card import write_card
from convert.correction import corrected
from convert.draft import CARD, Draft, GoldenFile, Model, golden_files, open_classifier, with_digests, with_golden
from convert.held_out import HeldOut, Progress, classifier_scorer, network_scorer, score_held_out, silently
from convert.metadata import with_metadata
from convert.network import LOGITS, load_network
from convert.novelty import fit_novelty
from convert.parity import Limits, compare
from convert.rescue import keep_in_float
from convert.sensitivity import LayerCost, layer_costs
from convert.source import ConvertSettings, Source, open_source
from convert.tflite import SCORES, Converted, to_plain_classifier, to_tflite
from convert.writer import digests
from edge.bundle import MODEL, SCHEMA, Input, Manifest, NoveltyFile, Precision
from edge.classifiers.temperature import fit_temperature, negative_log_likelihood
from edge.novelty import CLASS_MEANS, Novelty, encode_class_means
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
    """
    source = open_source(folder, settings)
    network = load_network(folder, source.run, source.spec)
    representative = [source.picture(row) for row in progress(source.representative, "representative pictures")]
    plain = to_tflite(network, source.spec, "float32", representative)
    chosen = to_tflite(network, source.spec, settings.precision, representative)
    if settings.precision == "int8":
        chosen = replace(chosen, model=corrected(plain.model, chosen.model, representative))
    gate = _Gate(source, settings, progress, _score_references(source, network, plain, progress))
    draft = gate.draft(chosen)
    if draft.losses and settings.precision == "int8":
        costs = layer_costs(plain.model, chosen.model, chosen.outputs.logits, representative, progress)
        draft = replace(draft, costs=costs)
        if settings.should_rescue:
            draft = _rescued(gate, draft, plain, chosen)
    if not settings.has_plain_classifier:
        return draft
    return replace(draft, plain_classifier=_plain_classifier(source, network, settings, representative, draft))


@dataclass(frozen=True, slots=True, eq=False)
class _Gate:
    """What every candidate is held against: the same pictures, and what the references say of them."""

    source: Source
    settings: ConvertSettings
    progress: Progress
    references: HeldOut

    def draft(self, chosen: Converted, kept: Sequence[LayerCost] = ()) -> Draft:
        """The draft of a converted model, measured; `kept` are its layers that stayed in float."""
        source = self.source
        model = _model(source, chosen, self.settings.precision)
        with tempfile.TemporaryDirectory(prefix="sorter-convert-") as scratch:
            classifier = open_classifier(model, Path(scratch) / "chosen")
            scorers = {_CHOSEN: classifier_scorer(classifier)}
            scored = score_held_out(source.picture, source.held_out, source.run.labels, scorers, self.progress)
            held_out = replace(scored, logits={**self.references.logits, **scored.logits})
            novelty = fit_novelty(classifier, source.picture, source.rows, self.settings.seed, self.progress)
            golden = golden_files(classifier)
        return _described(source, model, held_out, golden, novelty, kept, self.settings.limits)


def _score_references(source: Source, network: keras.Model, plain: Converted, progress: Progress) -> HeldOut:
    """What the network as trained and its float twin say of the held-out pictures."""
    with tempfile.TemporaryDirectory(prefix="sorter-convert-") as scratch:
        twin = open_classifier(_model(source, plain, "float32"), Path(scratch) / "plain")
        scorers = {_KERAS: network_scorer(network), _PLAIN: classifier_scorer(twin)}
        return score_held_out(source.picture, source.held_out, source.run.labels, scorers, progress)


def _rescued(gate: _Gate, refused: Draft, plain: Converted, chosen: Converted) -> Draft:
    """The draft with the fewest layers in float that keeps the limits: the costliest one, two, four…, half of all.

    The refused draft where that is not enough.
    """
    num_kept = 1
    while num_kept <= len(refused.costs) // 2:
        kept = refused.costs[:num_kept]
        _log.info("%d layers in float: %s", num_kept, ", ".join(cost.name for cost in kept))
        model = keep_in_float(plain.model, chosen.model, {cost.place for cost in kept})
        draft = gate.draft(replace(chosen, model=model), kept)
        if not draft.losses:
            return replace(draft, costs=refused.costs)
        num_kept *= 2
    return refused


def _plain_classifier(
    source: Source,
    network: keras.Model,
    settings: ConvertSettings,
    representative: Sequence[Image],
    draft: Draft,
) -> bytes:
    """The same network with scores as its only output, and with the same care."""
    temperature = draft.manifest.temperature
    model = to_plain_classifier(network, source.spec, settings.precision, representative, temperature)
    if settings.precision == "int8":
        plain = to_plain_classifier(network, source.spec, "float32", representative, temperature)
        model = corrected(plain, model, representative)
        if draft.kept:
            model = keep_in_float(plain, model, {cost.place for cost in draft.kept})
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


def _described(
    source: Source,
    model: Model,
    held_out: HeldOut,
    golden: Mapping[str, GoldenFile],
    novelty: Novelty,
    kept: Sequence[LayerCost],
    limits: Limits,
) -> Draft:
    """The finished draft: temperature, metrics, novelty, golden pictures and card join the model."""
    labels = source.run.labels
    temperature = fit_temperature(held_out.logits[_CHOSEN], held_out.label_indices)
    parities = tuple(compare(held_out, _KERAS, name, labels, temperature) for name in (_PLAIN, _CHOSEN))
    losses = parities[-1].broken_limits(limits)
    nll = negative_log_likelihood(held_out.logits[_CHOSEN], held_out.label_indices, temperature)
    metrics = {**parities[-1].metrics(), "nll": round(nll, 5)}
    # A model that int8 has ruined answers all alike; the gate tells so.
    max_distance = max(round(novelty.max_distance, 5), _SMALLEST_DISTANCE)
    known = NoveltyFile(class_means=CLASS_MEANS, max_distance=max_distance)
    update = {"temperature": temperature, "metrics": metrics, "novelty": known}
    measured = model.manifest.model_copy(update=update)
    manifest = with_golden(measured, golden)
    files = {
        MODEL: model.content,
        CLASS_MEANS: encode_class_means(novelty.means),
        CARD: write_card(source.run, manifest, parities, losses, [cost.name for cost in kept]).encode(),
        REPRESENTATIVE: "".join(f"{row.path}\n" for row in source.representative).encode(),
        **{name: picture.content for name, picture in golden.items()},
    }
    return Draft(with_digests(manifest, files), files, parities, losses, kept=tuple(kept))
