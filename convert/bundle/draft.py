"""A bundle in the making, in memory, until all of it is measured and may be written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from convert.bundle.writer import digests
from convert.proof.golden import encode_png, golden_pictures
from convert.proof.parity import Parity
from convert.quantizing.mixed import Wide
from convert.quantizing.sensitivity import LayerCost
from edge.bundle import MODEL, Bundle, Golden, Manifest, load_bundle
from edge.classifiers.base import softmax
from edge.classifiers.litert import LiteRTClassifier
from edge.errors import StorageError

CARD = "card.md"


@dataclass(frozen=True, slots=True)
class Draft:
    """All that a bundle will hold, and what became of the answers on the way.

    Each parity holds one model against the network as trained, the bundle's own last; `losses` are the
    limits that it breaks. `costs` say which layers of a refused int8 model hurt, and `kept` which of them are
    in float or int16 now (`kept_in`). `plain_classifier` is a .tflite file for other tools, where it was asked for.
    """

    manifest: Manifest
    files: Mapping[str, bytes]
    parities: tuple[Parity, ...]
    losses: tuple[str, ...]
    costs: tuple[LayerCost, ...] = ()
    kept: tuple[LayerCost, ...] = ()
    kept_in: Wide | None = None
    plain_classifier: bytes | None = None


def draft_of_bundle(path: Path) -> Draft:
    """The bundle at `path` as it is, for a file to be added.

    Raises:
        BundleError: it is not whole.
    """
    manifest = load_bundle(path).manifest
    return Draft(manifest, {name: (path / name).read_bytes() for name in manifest.files}, (), ())


@dataclass(frozen=True, slots=True)
class GoldenFile:
    """A golden picture's file, and what the model says of it."""

    content: bytes
    logits: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Model:
    """A converted model with a manifest that lacks all that must be measured first."""

    content: bytes
    manifest: Manifest


def open_classifier(model: Model, folder: Path) -> LiteRTClassifier:
    """The device's own classifier, on a model that is not in a bundle yet.

    Raises:
        StorageError: the scratch folder cannot be written.
    """
    try:
        folder.mkdir()
        (folder / MODEL).write_bytes(model.content)
    except OSError as error:
        raise StorageError(
            f"{folder} cannot be written ({error.strerror}): is the disk full? TMPDIR names another"
        ) from error
    return LiteRTClassifier(Bundle(folder, model.manifest, bundle_id=""))


def golden_files(classifier: LiteRTClassifier) -> Mapping[str, GoldenFile]:
    """The golden pictures by their place in the bundle, with what this very model answers."""
    pictures = golden_pictures(classifier.input_spec)
    return {
        f"golden/{name}.png": GoldenFile(encode_png(picture), tuple(map(float, classifier.infer(picture)[0])))
        for name, picture in pictures.items()
    }


def with_golden(manifest: Manifest, golden: Mapping[str, GoldenFile]) -> Manifest:
    """The manifest, naming the golden pictures and what to expect of them at its temperature."""
    expected = tuple(
        Golden(picture=name, logits=picture.logits, scores=_scores(picture.logits, manifest.temperature))
        for name, picture in golden.items()
    )
    return manifest.model_copy(update={"golden": expected})


def _scores(logits: tuple[float, ...], temperature: float) -> tuple[float, ...]:
    return tuple(map(float, softmax(np.array(logits, np.float32), temperature)))


def with_digests(manifest: Manifest, files: Mapping[str, bytes]) -> Manifest:
    """The manifest, listing the digest of every file."""
    return manifest.model_copy(update={"files": digests(files)})


def with_file(draft: Draft, name: str, content: bytes) -> Draft:
    """The draft with one more file."""
    files = {**draft.files, name: content}
    return replace(draft, files=files, manifest=with_digests(draft.manifest, files))
