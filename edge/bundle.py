"""The bundle: one directory that holds a model and all that is needed to use and to check it.

    manifest.json     schema, labels, input, outputs, temperature, metrics, digest of every other file
    model.tflite      the network, full int8 by default
    model_edgetpu.tflite   the same for the EdgeTPU; optional
    card.md           what it was trained on, how good it is, what it is bad at
    golden/           pictures made by this project, with the scores expected of them
    manifest.sig      who vouches for it (`edge.models.signatures`); optional, and outside the manifest that it signs

A bundle is immutable; its id is the digest of its manifest, which holds the digests of the rest.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from edge.class_names import class_name
from edge.errors import BundleError, MissingInputError, StorageError, first_problem
from edge.messages import InputSpec

MANIFEST = "manifest.json"
MODEL = "model.tflite"
EDGETPU_MODEL = "model_edgetpu.tflite"
SCHEMA = 1

DEFAULT_BUNDLE = Path(__file__).parent / "bundles" / "default"

Precision = Literal["int8", "int16", "float16", "float32", "dynamic"]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Label = Annotated[str, AfterValidator(class_name)]


def _inside(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or name != path.as_posix() or name == MANIFEST:
        raise ValueError("must be a plain path inside the bundle")
    return name


RelativeName = Annotated[str, AfterValidator(_inside)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


# Of a network's input, pixels: in less nothing can be told, more would take minutes on a device.
LEAST_INPUT_PX, MOST_INPUT_PX = 16, 2048


class Input(_Strict):
    """The network's input: (1, height_px, width_px, 3) RGB.

    Models of this project take 0..255 and rescale inside, so that a camera's bytes go in untouched. One
    from elsewhere may expect (byte - mean) / std.
    """

    height_px: int = Field(ge=LEAST_INPUT_PX, le=MOST_INPUT_PX)
    width_px: int = Field(ge=LEAST_INPUT_PX, le=MOST_INPUT_PX)
    mean: float = 0.0
    std: float = Field(default=1.0, gt=0)

    def spec(self) -> InputSpec:
        """The same as preprocessing takes it."""
        return InputSpec(self.height_px, self.width_px)


class Outputs(_Strict):
    """Position of each output among the model's outputs; `embedding` is None where there is none.

    With `are_probabilities` the model from elsewhere ends in a softmax, whose logarithm serves as logits.
    """

    logits: int = Field(ge=0)
    embedding: int | None = Field(default=None, ge=0)
    embedding_size: int | None = Field(default=None, ge=1)
    are_probabilities: bool = False


class Golden(_Strict):
    """A picture of exactly the input's size (PNG, so lossless), and what is expected of it.

    Scores are the logits after temperature; bundles made before they were written have none.
    """

    picture: RelativeName
    logits: tuple[float, ...]
    scores: tuple[float, ...] = ()


class NoveltyFile(_Strict):
    """What known items look like: the file with each class's mean embedding, and how far one may be from it.

    `prototypes` is the file with several typical embeddings of each class, None in bundles made before there were any.
    `same_likeness` is the cosine from which two embeddings may be of one thing, None where it was not measured.
    """

    class_means: RelativeName
    prototypes: RelativeName | None = None
    max_distance: float = Field(gt=0, le=2)
    same_likeness: float | None = Field(default=None, ge=-1, le=1)


class Manifest(_Strict):
    """The content of manifest.json."""

    schema_version: Literal[1] = Field(alias="schema")
    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
    labels: tuple[Label, ...] = Field(min_length=2)
    precision: Precision
    input: Input
    outputs: Outputs
    temperature: float = Field(ge=0.01, le=100, description="logits are divided by it before softmax")
    metrics: dict[str, float] = Field(default_factory=dict)
    golden: tuple[Golden, ...] = ()
    novelty: NoveltyFile | None = None
    files: dict[RelativeName, Digest]

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if len(set(self.labels)) != len(self.labels):
            raise ValueError("labels must differ from each other")
        wanted = {MODEL, *(golden.picture for golden in self.golden)}
        if self.novelty is not None:
            wanted |= {name for name in (self.novelty.class_means, self.novelty.prototypes) if name}
            if self.outputs.embedding_size is None:
                raise ValueError("novelty needs a model that gives an embedding of known size")
        if missing := sorted(wanted - set(self.files)):
            raise ValueError(f"files has no digest of {', '.join(missing)}")
        num_labels = len(self.labels)
        if any(len(golden.logits) != num_labels for golden in self.golden):
            raise ValueError("each golden picture needs one logit for each label")
        if any(len(golden.scores) not in {0, num_labels} for golden in self.golden):
            raise ValueError("each golden picture needs one score for each label")
        return self


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle on disk whose every file was found to match its digest."""

    path: Path
    manifest: Manifest
    bundle_id: str

    @property
    def model_path(self) -> Path:
        """The TFLite file that runs on the CPU."""
        return self.path / MODEL

    @property
    def edgetpu_model_path(self) -> Path | None:
        """The same network compiled for the EdgeTPU, where the bundle has it."""
        return self.path / EDGETPU_MODEL if EDGETPU_MODEL in self.manifest.files else None

    @property
    def short_name(self) -> str:
        """Name and the first digits of the id, as decisions carry it: `trashnet-lite0@3f2a91c0`."""
        return f"{self.manifest.name}@{self.bundle_id[:8]}"


def bundle_name(words: str) -> str:
    """What a bundle may be called that is nearest to `words`: small letters without accents, digits and ``._-``.

    >>> bundle_name("Größe &c-lite0")
    'grosse-c-lite0'
    """
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", words) if not unicodedata.combining(letter))
    return re.sub(r"[^a-z0-9._-]+", "-", plain.casefold())[:64].strip("-._") or "model"


def load_bundle(path: Path) -> Bundle:
    """The bundle in directory `path`, after checking the digest of every file.

    Raises:
        MissingInputError: no such directory, or no manifest in it.
        BundleError: the manifest is not understood, or a file is missing, changed or unexpected.
    """
    manifest_path = path / MANIFEST
    if not manifest_path.is_file():
        remedy = f"`sorter convert --from {path}` makes one of it" if path.is_file() else "`sorter convert` writes it"
        raise MissingInputError(f"no bundle at {path}: expected a directory with {MANIFEST}; {remedy}")
    encoded = _read(manifest_path)
    manifest = parse_manifest(encoded, manifest_path)
    for name, digest in manifest.files.items():
        _check_digest(path, name, digest)
    return Bundle(path, manifest, hashlib.sha256(encoded).hexdigest())


def parse_manifest(encoded: bytes, path: Path) -> Manifest:
    """The manifest in `encoded`; `path` only names it in errors.

    Raises:
        BundleError: it is not JSON, of another schema version, or breaks a rule of `Manifest`.
    """
    try:
        return Manifest.model_validate_json(encoded)
    except ValidationError as invalid:
        first = invalid.errors()[0]
        if first["loc"] == ("schema",):
            raise BundleError(
                f"{path}: schema {first['input']!r} is not known, expected {SCHEMA}: "
                "update sorter, or convert the model again"
            ) from None
        raise BundleError(f"{path}: {first_problem(invalid)}") from None


def _check_digest(path: Path, name: str, expected: str) -> None:
    file = path / name
    if not file.is_file():
        raise BundleError(f"{path} lacks {name}, which its manifest lists: copy the bundle again")
    found = _digest(file)
    if found != expected:
        raise BundleError(
            f"{file} is damaged: expected digest {expected[:12]}…, found {found[:12]}…; copy the bundle again"
        )


def _digest(path: Path) -> str:
    """A piece at a time: a model read whole would stay in the process's memory."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}") from error
