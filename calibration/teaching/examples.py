"""What was shown to a bin: each example with its label, its embeddings, and a picture to teach another model with."""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import InvalidDataError
from edge.messages import Image
from edge.preprocess import decode_picture

Floats = NDArray[np.float32]

_JPEG_QUALITY = 92


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """One item: embeddings (V, D) and network's scores (V, S) of V views of it, V at least 1.

    `picture` is a JPEG of the first view as the network saw it.
    """

    label: str
    embeddings: Floats
    scores: Floats
    picture: bytes


def to_jpeg(image: Image) -> bytes:
    """A picture (H, W, 3) uint8 RGB, compressed."""
    _, encoded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return encoded.tobytes()


def from_jpeg(encoded: bytes) -> Image:
    """The picture (H, W, 3) uint8 RGB that `to_jpeg` compressed."""
    image = decode_picture(np.frombuffer(encoded, np.uint8))
    if image is None:
        raise InvalidDataError("the picture of a taught example cannot be read: forget its class and teach it again")
    return image


def count(examples: Iterable[Example]) -> dict[str, int]:
    """How many examples each label has, by name."""
    return dict(sorted(Counter(example.label for example in examples).items()))


def new_among(examples: Sequence[Example], known: Sequence[Example]) -> tuple[Example, ...]:
    """Those of `examples` that were not shown before under the same label, each once."""
    seen = {(example.label, example.picture) for example in known}
    fresh = {key: example for example in examples if (key := (example.label, example.picture)) not in seen}
    return tuple(fresh.values())


def without_pictures_of(known: Sequence[Example], examples: Sequence[Example]) -> tuple[Example, ...]:
    """`known` without those whose picture comes again in `examples`: the newer label holds."""
    again = {example.picture for example in examples}
    return tuple(example for example in known if example.picture not in again)


def encode_examples(examples: Sequence[Example]) -> bytes:
    """The examples as a part of the site file: an npz, embeddings in half precision."""
    encoded = io.BytesIO()
    np.savez(
        encoded,
        allow_pickle=False,
        labels=np.array([example.label for example in examples], np.str_),
        num_views=np.array([len(example.embeddings) for example in examples], np.int64),
        embeddings=np.concatenate([example.embeddings for example in examples]).astype(np.float16),
        scores=np.concatenate([example.scores for example in examples]),
        picture_sizes=np.array([len(example.picture) for example in examples], np.int64),
        pictures=np.frombuffer(b"".join(example.picture for example in examples), np.uint8),
    )
    return encoded.getvalue()


def decode_examples(encoded: bytes) -> tuple[Example, ...]:
    """The examples that `encode_examples` wrote.

    Raises:
        InvalidDataError: it is something else.
    """
    try:
        with np.load(io.BytesIO(encoded), allow_pickle=False) as arrays:
            ends = np.cumsum(arrays["num_views"])[:-1]
            embeddings = np.split(arrays["embeddings"].astype(np.float32), ends)
            scores = np.split(arrays["scores"].astype(np.float32), ends)
            picture_ends = np.cumsum(arrays["picture_sizes"])[:-1]
            pictures = [part.tobytes() for part in np.split(arrays["pictures"], picture_ends)]
            labels = [str(label) for label in arrays["labels"]]
            return tuple(Example(*parts) for parts in zip(labels, embeddings, scores, pictures, strict=True))
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise InvalidDataError(
            f"the taught examples cannot be read ({error}): go back with `sorter calibrate undo`"
        ) from None
