"""A frame joins its item: counts, lead, mean embedding and turns."""

from __future__ import annotations

import numpy as np
import pytest

from edge.items.smoothing import Gathering, Method, SmoothingSettings
from edge.messages import Item, Prediction


def prediction(*scores: float, embedding: tuple[float, ...] | None = None) -> Prediction:
    vector = None if embedding is None else np.array(embedding, np.float32)
    return Prediction(np.array(scores, np.float32), vector)


def gathered(*predictions: Prediction) -> Item:
    gathering = Gathering(SmoothingSettings(method=Method.VOTE))
    item = Item(1, 0.0)
    for one in predictions:
        item = gathering.add(item, one)
    return item


def test_frames_are_counted_and_so_are_those_that_agree_with_the_winner() -> None:
    item = gathered(prediction(0.9, 0.1), prediction(0.2, 0.8), prediction(0.7, 0.3))
    assert (item.frames_used, item.agreeing) == (3, 2)
    assert item.scores is not None
    assert not item.scores.flags.writeable


def test_held_counts_the_frames_since_the_winner_took_the_lead() -> None:
    sure, other = prediction(0.1, 0.9), prediction(0.9, 0.1)
    assert gathered(sure).held == 0
    assert gathered(sure, sure, sure).held == 2
    assert gathered(sure, other).held == 0, "at a tie the first class leads"
    assert gathered(sure, other, other).held == 1


def test_the_embedding_is_the_mean_over_the_frames() -> None:
    item = gathered(prediction(1, 0, embedding=(1, 2)), prediction(1, 0, embedding=(3, 6)))
    assert item.embedding == pytest.approx([2, 4])
    assert gathered(prediction(1, 0), prediction(1, 0)).embedding is None


def test_each_frame_of_an_item_is_turned_further_when_that_is_wanted() -> None:
    items = [gathered(*[prediction(1, 0)] * count) for count in range(4)]
    assert [Gathering(SmoothingSettings(turns=True)).num_turns(item) for item in items] == [0, 1, 2, 3]
    assert not any(Gathering(SmoothingSettings(turns=False)).num_turns(item) for item in items)
