"""Examples are taken from what comes to rest before a camera."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from calibration.teaching.examples import Example
from calibration.teaching.showing import NUM_VIEWS, watch
from edge.assembly.cameras import open_camera
from edge.assembly.parts import load_parts
from edge.bundle import DEFAULT_BUNDLE, load_bundle
from edge.classifiers.litert import LiteRTClassifier
from edge.clock import ReplayClock
from edge.config import Config
from edge.config.cameras import ReplayCameraSection
from edge.messages import Image, Prediction
from tests.calibration.teaching.test_teach import CAN, OTHER, STAGE, write


class AttentiveNetwork(LiteRTClassifier):
    """The shipped network, which remembers what it was asked about."""

    def __init__(self) -> None:
        super().__init__(load_bundle(DEFAULT_BUNDLE), 2)
        self.asked: list[weakref.ref[Image]] = []

    def classify(self, image: Image) -> Prediction:
        self.asked.append(weakref.ref(image))
        return super().classify(image)


def watched(
    folder: Path, pictures: Sequence[Image], network: AttentiveNetwork, on_item: Callable[[], object] = lambda: None
) -> list[Example]:
    """The examples of what passes after an empty scene; `on_item` is called with each."""
    write(folder, [STAGE.empty] * 14 + list(pictures))
    section = ReplayCameraSection(backend="replay", source=folder)
    found: list[Example] = []

    def keep(example: Example) -> bool:
        found.append(example)
        on_item()
        return True

    with closing(open_camera(section, ReplayClock())) as camera:
        camera.open()
        watch(load_parts(Config(camera=section)), camera, network, "spray", keep)
    return found


def test_each_view_of_an_item_goes_through_the_network_once(tmp_path: Path) -> None:
    network = AttentiveNetwork()
    visits = [picture for item in (CAN, OTHER) for picture in [item.picture] * 9 + [STAGE.empty] * 6]
    found = watched(tmp_path / "frames", visits, network)
    assert [len(example.embeddings) for example in found] == [NUM_VIEWS] * 2
    assert len(network.asked) == 2 * NUM_VIEWS


def test_views_of_what_never_came_to_rest_do_not_pile_up(tmp_path: Path) -> None:
    network, num_kept = AttentiveNetwork(), list[int]()
    restless = [item.picture for _ in range(17) for item in (CAN, OTHER) for _ in range(2)]
    watched(
        tmp_path / "frames",
        [*restless, *[STAGE.empty] * 6, *[CAN.picture] * 9],
        network,
        lambda: num_kept.append(sum(view() is not None for view in network.asked)),
    )
    assert len(network.asked) >= 34
    assert num_kept[0] < 20
