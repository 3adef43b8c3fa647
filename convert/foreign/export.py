"""Classifiers trained elsewhere become bundles: Teachable Machine exports, Coral models, Keras files.

A .tflite file goes in byte for byte; a Keras file or a SavedModel is converted first.
"""

from __future__ import annotations

import logging
import random
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from convert.bundle.card import write_foreign_card
from convert.bundle.draft import CARD, Draft, Model, golden_files, open_classifier, with_digests, with_golden
from convert.bundle.writer import digests
from convert.foreign.labels import parse_labels, read_labels
from convert.foreign.network import convert_foreign, input_spec, load_foreign_network
from convert.representative import DEFAULT_NUM_PICTURES
from convert.tflite.anatomy import Anatomy, Tensor, packed_labels, read_anatomy
from convert.tflite.converter import SCORES
from convert.tflite.metadata import Described, with_metadata
from convert.tflite.rescaling import BYTES, Normalization
from edge.bundle import LEAST_INPUT_PX, MODEL, MOST_INPUT_PX, SCHEMA, Input, Manifest, Outputs, Precision, bundle_name
from edge.data_folder import why_unreadable
from edge.errors import InvalidDataError, MissingInputError, UsageError
from edge.preprocess import PICTURE_SUFFIXES, Image, InputSpec, load_picture, to_input

_SUFFIXES = frozenset({".tflite", ".keras", ".h5", ".hdf5"})
_SHARE_HELD = 0.9  # of all bytes: some models clip the brightest

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ForeignSettings:
    """How to wrap a classifier from elsewhere.

    `normalization` says what it expects of a byte, where the file does not. `precision`, `spec` and `pictures`,
    a folder of representative pictures for int8, matter only where there is something to convert.
    """

    labels: Path | None = None
    name: str | None = None
    normalization: Normalization | None = None
    precision: Precision = "int8"
    spec: InputSpec | None = None
    pictures: Path | None = None
    num_representative: int = DEFAULT_NUM_PICTURES
    seed: int = 0


def draft_foreign(path: Path, settings: ForeignSettings) -> Draft:
    """The bundle of a .tflite file, a .keras or .h5 file, or a SavedModel folder.

    Raises:
        MissingInputError: the model, its labels or the representative pictures are not there.
        InvalidDataError: it is not a classifier of pictures, its labels do not match its output, or no representative
            picture can be read.
        UsageError: it expects a normalization that nobody named.
    """
    if not path.exists():
        raise MissingInputError(f"no model at {path}: expected a .tflite or .keras file, or a SavedModel folder")
    if path.is_file() and path.suffix.lower() not in _SUFFIXES:
        raise InvalidDataError(
            f"{path}: expected a .tflite, .keras or .h5 file, or a SavedModel folder: make one of these with the tool"
            " that trained it (of an .onnx file with `onnx2tf`)"
        )
    name = settings.name or bundle_name(path.stem)
    if path.suffix.lower() == ".tflite":
        content = path.read_bytes()
        anatomy = read_anatomy(content, path)
        normalization = settings.normalization or _normalization(anatomy, path)
        return _draft(name, path, content, _labels(settings.labels, path, content), normalization)
    labels = _labels(settings.labels, path, b"")
    content = _converted(path, settings)
    description = f"wrapped from {path.name}"
    described = Described(name, description, "1", labels, (SCORES,), SCORES)
    expects = _stored_as(read_anatomy(content, path)) or BYTES
    return _draft(name, path, with_metadata(content, described), labels, expects)


def _labels(file: Path | None, path: Path, content: bytes) -> tuple[str, ...]:
    if file is not None:
        return read_labels(file)
    packed = packed_labels(content)
    if packed is None:
        raise MissingInputError(f"{path} carries no labels: give them with --labels labels.txt, one class a line")
    return parse_labels(packed, path)


def _converted(path: Path, settings: ForeignSettings) -> bytes:
    if settings.normalization is None:
        raise _unknown_normalization(path)
    if settings.precision == "int8" and settings.pictures is None:
        raise UsageError("int8 needs --pictures FOLDER, pictures like those it will see; or take --precision float16")
    network = load_foreign_network(path)
    spec = input_spec(network, settings.spec, path)
    representative = _representative(settings, spec) if settings.precision == "int8" else []
    return convert_foreign(network, spec, settings.normalization, settings.precision, representative)


def _representative(settings: ForeignSettings, spec: InputSpec) -> Sequence[Image]:
    folder = settings.pictures
    if folder is None or not folder.is_dir():
        raise MissingInputError(f"no folder of pictures at {folder}")
    paths = sorted(path for path in folder.rglob("*") if _is_picture(path.relative_to(folder)) and path.is_file())
    if not paths:
        raise MissingInputError(f"no pictures in {folder}: expected {', '.join(sorted(PICTURE_SUFFIXES))} files")
    chance = random.Random(settings.seed)  # noqa: S311  (a choice of pictures, not of keys)
    chosen = sorted(chance.sample(paths, min(settings.num_representative, len(paths))))
    problems = {picture: why_unreadable(picture) for picture in chosen}
    for picture, problem in problems.items():
        if problem is not None:
            _log.warning("left out %s: %s", picture, problem)
    images = [to_input(load_picture(picture), spec) for picture, problem in problems.items() if problem is None]
    if not images:
        raise InvalidDataError(f"none of the {len(chosen)} pictures chosen from {folder} can be read: give sound ones")
    return images


def _is_picture(name: Path) -> bool:
    """By its name; what is hidden, or in a hidden folder, is none, as in training: a Mac leaves ._photo.jpg files."""
    return name.suffix.lower() in PICTURE_SUFFIXES and not any(part.startswith(".") for part in name.parts)


def _normalization(anatomy: Anatomy, path: Path) -> Normalization:
    """What a model's input expects of a byte, as far as the file tells."""
    stored_as = _stored_as(anatomy)
    told = None if anatomy.normalization is None else Normalization(*anatomy.normalization)
    if stored_as is None and told is None:
        raise _unknown_normalization(path)
    if stored_as is None or told is None:
        return stored_as or told or BYTES
    return told if _is_another_mapping(told, stored_as) else stored_as


def _is_another_mapping(told: Normalization, stored_as: Normalization) -> bool:
    """Whether the metadata mean something else than bytes as they are, and something that the input can hold.

    What differs by less than a step is the same, rounded; what leaves the range for many bytes is a mistake.
    """
    steps = told.of(np.arange(256, dtype=np.uint8)) * stored_as.std + stored_as.mean
    is_the_same = bool(np.abs(steps - np.arange(256)).max() <= 1)
    return not is_the_same and bool(((steps >= -0.5) & (steps <= 255.5)).mean() >= _SHARE_HELD)


def _stored_as(anatomy: Anatomy) -> Normalization | None:
    """What a quantized input makes of bytes that are stored as they are, which is what every tool does."""
    taken = anatomy.tensors[anatomy.inputs[0]]
    if taken.dtype not in {"uint8", "int8"} or not taken.scale:
        return None
    shift = 128 if taken.dtype == "int8" else 0
    return Normalization(taken.zero_point + shift, 1 / taken.scale)


def _unknown_normalization(path: Path) -> UsageError:
    return UsageError(
        f"{path} does not say what its input expects: give --mean and --std, 127.5 and 127.5 for -1..1, "
        "0 and 255 for 0..1, or 0 and 1 where it rescales inside"
    )


def _draft(name: str, path: Path, content: bytes, labels: tuple[str, ...], expects: Normalization) -> Draft:
    anatomy = read_anatomy(content, path)
    spec = _checked_input(anatomy, path)
    output = _checked_output(anatomy, len(labels), path)
    manifest = Manifest(
        schema=SCHEMA,
        name=name,
        labels=labels,
        precision=anatomy.precision,
        input=Input(height_px=spec.height_px, width_px=spec.width_px, mean=expects.mean, std=expects.std),
        outputs=Outputs(logits=output, are_probabilities=anatomy.ends_in_probabilities(anatomy.outputs[output])),
        temperature=1.0,
        files=digests({MODEL: content}),
    )
    with tempfile.TemporaryDirectory(prefix="sorter-convert-") as scratch:
        golden = golden_files(open_classifier(Model(content, manifest), Path(scratch) / "model"))
    manifest = with_golden(manifest, golden)
    files = {
        MODEL: content,
        CARD: write_foreign_card(manifest, path.name).encode(),
        **{picture: file.content for picture, file in golden.items()},
    }
    return Draft(with_digests(manifest, files), files, parities=(), losses=())


def _checked_input(anatomy: Anatomy, path: Path) -> InputSpec:
    if custom := sorted({step.name for step in anatomy.operators if step.name.startswith("CUSTOM/edgetpu")}):
        raise InvalidDataError(f"{path} is compiled for the EdgeTPU ({custom[0]}): give the model it was compiled from")
    taken = [anatomy.tensors[index] for index in anatomy.inputs]
    match [tensor.shape for tensor in taken]:
        case [(1 | -1, int(height_px), int(width_px), 3)] if height_px > 0 and width_px > 0:
            if not LEAST_INPUT_PX <= min(height_px, width_px) <= max(height_px, width_px) <= MOST_INPUT_PX:
                raise InvalidDataError(
                    f"{path} takes pictures of {width_px}x{height_px} pixels:"
                    f" expected {LEAST_INPUT_PX} to {MOST_INPUT_PX} on each side"
                )
            return InputSpec(height_px, width_px)
    raise InvalidDataError(f"{path} takes {_shapes(taken)}: expected one RGB picture, (1, height, width, 3)")


def _checked_output(anatomy: Anatomy, num_labels: int, path: Path) -> int:
    """The place among the outputs of the only one that has a number for each label."""
    given = [anatomy.tensors[index] for index in anatomy.outputs]
    fitting = [place for place, tensor in enumerate(given) if _is_one_row(tensor.shape, num_labels)]
    if len(fitting) != 1:
        is_single = num_labels == 2 and any(_is_one_row(tensor.shape, 1) for tensor in given)
        remedy = "; a single score for two classes is not read: train it with two and a softmax" if is_single else ""
        raise InvalidDataError(
            f"{path} gives {_shapes(given)}, but there are {num_labels} labels: "
            f"expected exactly one output with a score for each{remedy}"
        )
    return fitting[0]


def _is_one_row(shape: tuple[int, ...], num_labels: int) -> bool:
    """Whether it has a number for each label, once: a segmentation has one for each pixel as well."""
    return shape[-1:] == (num_labels,) and set(shape[:-1]) <= {1, -1}


def _shapes(tensors: Sequence[Tensor]) -> str:
    return ", ".join(f"{tensor.dtype} {tensor.shape}" for tensor in tensors) or "nothing"
