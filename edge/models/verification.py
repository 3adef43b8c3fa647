"""A bundle's golden pictures through this machine's runtime: does the model answer here as it did where it was made?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge.bundle import Bundle
from edge.classifiers.base import Classifier, softmax
from edge.errors import BundleError
from edge.preprocess import load_picture

# int8 through XNNPACK is the same to the last bit on x86 and ARM. Float kernels, and int8 without XNNPACK,
# differ by rounding: far less than this, while a model that is wrong differs far more.
MAX_SCORE_DIFFERENCE = 0.02


@dataclass(frozen=True, slots=True)
class GoldenCheck:
    """One golden picture: the largest difference of any class's score, 0..1, from what was expected."""

    picture: str
    score_difference: float

    @property
    def is_exact(self) -> bool:
        """Not a bit differs."""
        return self.score_difference == 0

    @property
    def is_passed(self) -> bool:
        """The scores are near enough to be the same model's."""
        return self.score_difference <= MAX_SCORE_DIFFERENCE


def check_golden(bundle: Bundle, classifier: Classifier) -> tuple[GoldenCheck, ...]:
    """Each golden picture, scored by a classifier that was made from the bundle with its own temperature.

    Raises:
        BundleError: the bundle has no golden pictures, or one that is not of the input's size.
    """
    if not bundle.manifest.golden:
        raise BundleError(f"{bundle.path} has no golden pictures to verify it by: convert the model again")
    checks = []
    for golden in bundle.manifest.golden:
        picture = load_picture(bundle.path / golden.picture)
        wanted = (classifier.input_spec.height_px, classifier.input_spec.width_px)
        if picture.shape[:2] != wanted:
            raise BundleError(f"{golden.picture} has (height, width) {picture.shape[:2]}, but the model takes {wanted}")
        expected = np.array(golden.scores, np.float32)
        if not golden.scores:
            expected = softmax(np.array(golden.logits, np.float32), bundle.manifest.temperature)
        difference = np.abs(classifier.classify(picture).scores - expected).max()
        checks.append(GoldenCheck(golden.picture, float(difference)))
    return tuple(checks)
