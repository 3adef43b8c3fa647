"""Taking examples: from pictures, and from items held before the camera."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from calibration.teaching.examples import Example, from_jpeg, to_jpeg
from edge.assembly.parts import Parts
from edge.bundle import Bundle
from edge.cameras.base import Camera
from edge.classifiers.base import Classifier
from edge.classifiers.light import Light
from edge.classifiers.litert import LiteRTClassifier
from edge.data_folder import in_words, picture_names, unused_in
from edge.errors import ConfigError, InvalidDataError, MissingInputError
from edge.messages import Image, Prediction
from edge.preprocess import crop, load_picture, square_around, to_input, turned
from edge.presence.stills import StillFinder

# Frames of one item that make an example; each is turned a quarter further, as in the loop.
NUM_VIEWS = 4
# More things do not pass at once, and their numbers only grow: views of older ones that never came to rest are dropped.
_MAX_ITEMS = 16

# A view, exactly what the network takes, and what it says of it.
Look = tuple[Image, Prediction]


def open_network(bundle: Bundle, num_threads: int) -> LiteRTClassifier:
    """The network as it is before it is taught, with its own temperature.

    Raises:
        ConfigError: it gives no embedding, which is what teaching works on.
    """
    if bundle.manifest.outputs.embedding is None:
        raise ConfigError(
            f"{bundle.short_name} gives no embedding to teach with: use one made from a run of `sorter train`"
        )
    return LiteRTClassifier(bundle, num_threads)


def example_of(label: str, looks: Sequence[Look]) -> Example:
    """One item's example from at least one look at it.

    Raises:
        InvalidDataError: the network gave something that is no number.
    """
    embeddings = np.stack([said.embedding for _, said in looks if said.embedding is not None])
    scores = np.stack([said.scores for _, said in looks])
    if not (np.isfinite(embeddings).all() and np.isfinite(scores).all()):
        raise InvalidDataError("the model answers with numbers that are none: check it with `sorter model verify`")
    first, _ = looks[0]
    return Example(label, embeddings, scores, to_jpeg(first))


def example_of_crop(label: str, item: Image, network: Classifier) -> Example:
    """One item's example from a picture (H, W, 3) of any size that it fills, straight and turned a quarter."""
    picture = to_input(item, network.input_spec)
    return example_of(label, [(view, network.classify(view)) for view in (picture, turned(picture, 1))])


def shown_again(example: Example, network: Classifier) -> Example:
    """The example as another network sees its picture."""
    return example_of_crop(example.label, from_jpeg(example.picture), network)


def in_light(examples: Sequence[Example], light: Light, network: Classifier) -> list[Example]:
    """The examples as the network sees their pictures with a light undone that was found from them."""

    def lit(picture: Image) -> Image:
        return picture if (undone := light.undo(picture)) is None else undone

    return [example_of_crop(one.label, lit(from_jpeg(one.picture)), network) for one in examples]


def pictures_in(folder: Path) -> list[Path]:
    """The pictures of a folder, or the one that is named, in the order of their names.

    Raises:
        MissingInputError: there is none.
    """
    if folder.is_file():
        return [folder]
    found = [folder / name for name in picture_names(folder)] if folder.is_dir() else []
    if not found:
        unused = ", ".join(in_words(unused_in(folder), most=1)) or "no picture in it"
        there = unused if folder.is_dir() else "nothing there"
        raise MissingInputError(f"{folder}: expected a folder of pictures of the class (.jpg, .png …), found {there}")
    return found


def item_in(path: Path, finder: StillFinder | None) -> Image | None:
    """The item in a picture file, as it is cropped: where `finder` sees it, else the whole picture; None for no item.

    A picture that has not the shape of the scene is taken for one of the item alone.

    Raises:
        PictureError: it cannot be read.
    """
    image = load_picture(path)
    if finder is None or not finder.shows_scene(image):
        return image
    box = finder.find(image)
    height, width = image.shape[:2]
    return None if box is None else crop(image, square_around(box, width, height))


def watch(parts: Parts, camera: Camera, network: Classifier, label: str, on_item: Callable[[Example], bool]) -> None:
    """Make an example of each item that comes to rest before an open camera, until `on_item` says enough.

    Ends when the source does. Blocks; a fault of the camera is the caller's.
    """
    presence, tracker = parts.presence(), parts.tracker()
    looks: dict[int, list[Look]] = {}
    while (frame := camera.next_frame(parts.config.camera.max_age_s)) is not None:
        target = tracker.follow(presence.update(frame), frame.captured_at_s)
        if target is not None:
            view = to_input(frame.image, network.input_spec, target.box, target.num_turns)
            said = network.classify(view)
            looks.setdefault(target.item_id, []).append((view, said))
            looks = {item_id: own for item_id, own in looks.items() if item_id > target.item_id - _MAX_ITEMS}
            tracker.add(target, said)
        for item in tracker.waiting():
            seen = looks.get(item.item_id, [])
            if len(seen) < NUM_VIEWS and not item.has_left and not item.is_many:
                continue
            tracker.close(item.item_id)
            looks.pop(item.item_id, None)
            if seen and not item.is_many and not on_item(example_of(label, seen)):
                return
