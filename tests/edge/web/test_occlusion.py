"""What the network looked at."""

from __future__ import annotations

import numpy as np

from edge.messages import Image, InputSpec, Prediction
from edge.web.occlusion import NUM_CELLS, heat_rows

SIZE = 70


class CornerClassifier:
    """Looks for red in the upper left corner, and at nothing else."""

    labels = ("red", "other")
    input_spec = InputSpec(SIZE, SIZE)

    def classify(self, image: Image) -> Prediction:
        red = float(image[:20, :20, 0].mean()) / 255
        return Prediction(np.array([red, 1 - red], np.float32))


def test_the_map_is_warm_where_the_network_looks_and_nowhere_else() -> None:
    image = np.full((SIZE, SIZE, 3), 40, np.uint8)
    image[:20, :20, 0] = 220
    heat = np.stack(list(heat_rows(image, CornerClassifier())))
    assert heat.shape == (NUM_CELLS, NUM_CELLS, 2)
    red = heat[..., 0]
    assert red[:2, :2].min() > 1.0
    assert np.all(red[4:, 4:] == 0)
    np.testing.assert_allclose(
        heat[..., 1], -red, atol=1e-4
    )  # two classes: what speaks for one speaks against the other


def test_the_picture_that_is_asked_about_stays_as_it_is() -> None:
    image = np.full((SIZE, SIZE, 3), 40, np.uint8)
    image.setflags(write=False)
    assert len(list(heat_rows(image, CornerClassifier()))) == NUM_CELLS


def test_a_network_that_is_wholly_sure_still_gives_finite_numbers() -> None:
    image = np.full((SIZE, SIZE, 3), 255, np.uint8)
    assert np.isfinite(np.stack(list(heat_rows(image, CornerClassifier())))).all()
